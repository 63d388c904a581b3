/**
 * Puts a relay to the conformance checks: `node test/conformance/main.ts ws://host:port [name]` prints a table, NIP by NIP.
 * Checks of NIPs that the relay does not list in its information document are not asked. Exit code 1 when a check failed.
 */
import { ALL_CHECKS } from './all-checks.ts';
import { runCheck } from './relay-checks.ts';

const [url, name = url] = process.argv.slice(2);
if (!url) {
  console.error('name a relay: node test/conformance/main.ts ws://127.0.0.1:4601');
  process.exit(64);
}
const supported = await fetch(url.replace(/^ws/, 'http'), { headers: { accept: 'application/nostr+json' } })
  .then((response) => response.json() as Promise<{ supported_nips?: number[] }>)
  .then((information) => information.supported_nips)
  .catch(() => undefined);
let failures = 0;
console.log(`| NIP | check | ${name} |\n|---|---|---|`);
for (const check of [...ALL_CHECKS].sort((a, b) => a.nip - b.nip)) {
  let result = 'pass';
  if (supported && !supported.includes(check.nip)) result = 'not offered';
  else
    try {
      await runCheck(check, url);
    } catch (error) {
      failures++;
      result = `fails: ${String((error as Error).message)
        .split('\n')
        .slice(0, 3)
        .join(' ')
        .slice(0, 140)}`;
    }
  console.log(`| ${check.nip} | ${check.it} | ${result} |`);
}
process.exit(failures > 0 ? 1 : 0);
