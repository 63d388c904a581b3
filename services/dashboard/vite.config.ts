import { defineConfig } from 'vite';

/** Nothing inlined and no preload script, so that the page runs under a CSP without exceptions. */
export default defineConfig({
  root: import.meta.dirname,
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
  },
});
