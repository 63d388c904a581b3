import { relative, resolve } from 'node:path';
import { npubEncode } from '@covey/nostr';
import type { ClusterStatus } from './cluster-status.ts';
import type { Progress } from './progress.ts';
import type { UpSettings } from './settings.ts';

export interface BannerFacts {
  settings: UpSettings;
  apiUrl: string;
  status: ClusterStatus;
  /** Public key (hex) of an account that the table lists; undefined when it lists none that is known here. */
  example: string | undefined;
  isFirst: boolean;
  msToReady: number;
}

/** Accounts of the crawl that many follow (jack, fiatjaf, jb55): examples, in order, where the table lists them. */
export const EXAMPLES = [
  '82341f882b6eabcd2ba7f1ef90aad961cf074af15b9ef44a09f9d2a8fbfbe6a2',
  '3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d',
  '32e1827635450ebb3c5a7d12c1f8e7b2b514439ac10a67eef3d9fd9c5c68e245',
];

/** What to know and to try when the cluster is ready. */
export function banner(
  { settings, apiUrl, status, example, isFirst, msToReady }: BannerFacts,
  progress: Progress,
): string {
  const bold = (text: string) => progress.style('bold', text);
  const count = (n: number) => n.toLocaleString('en');
  const covey = `${homePrefix(settings.home)}npx --no covey`;
  const npub = example ? npubEncode(example) : 'npub1…';
  const what = `${count(status.accounts)} accounts, ${count(status.follows)} follows, ${count(status.communities)} communities`;
  const members = status.members.map(({ url }) => url).sort();
  return [
    '',
    bold(
      `Covey ${isFirst ? 'is ready' : 'has resumed'} after ${(msToReady / 1000).toFixed(1)} s: epoch ${status.epoch}, ${what}.`,
    ),
    '',
    `  dashboard  ${bold(apiUrl)}`,
    `  API        ${bold(`${apiUrl}/docs`)}`,
    `  members    ${members[0] ?? ''}${members.length > 1 ? ` … ${members.at(-1)}` : ''} (for any Nostr client)`,
    '',
    'Try, in a second terminal in this folder:',
    '',
    `  ${covey} lookup ${npub}`,
    `  ${covey} plan --follows ${npub}`,
    `  ${covey} publish "hello" --elsewhere     # to a member that does not hold the key; then read it by the npub shown:`,
    `  ${covey} read <npub>`,
    '',
    `Ctrl-C stops everything; data stays in ${shortest(settings.home)}.`,
  ].join('\n');
}

/** What the commands need to find a home that is not the default one. */
function homePrefix(home: string): string {
  return home === resolve('.covey') ? '' : `COVEY_HOME=${shellWord(shortest(home))} `;
}

/** The path as one would type it here. */
export function shortest(path: string): string {
  const here = relative('', path);
  return here && !here.startsWith('..') ? here : path;
}

function shellWord(text: string): string {
  return /^[\w./@%+=:,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
