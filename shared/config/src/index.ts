export * from './env.ts';
export * from './home.ts';
export * from './keys.ts';
