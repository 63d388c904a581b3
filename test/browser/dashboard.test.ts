import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { npubEncode, nsecEncode } from '@covey/nostr';
import { noteEncode } from 'nostr-tools/nip19';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { clusterFixture } from '../../services/api/src/testing/cluster-fixture.ts';
import { CHROMIUM_MISSING, findChromium, launch } from './chromium.ts';
import { type DashboardFixture, startDashboard } from './dashboard-fixture.ts';

const path = findChromium();
const WAIT_MS_MAX = 15_000;
/** Runs inside the page; checked with the dashboard's own types, which know a browser. */
const inPage: {
  wake(): void;
  focusedText(): string;
  tooWide(): string[];
  scrollWidth(): number;
  unnamedControls(): string[];
  memberPixels(png: string): Promise<number>;
  faintTexts(): string[];
} = await import(new URL('../../services/dashboard/src/testing/in-page.ts', import.meta.url).href);
const PHONE = { width: 375, height: 812 };

describe('the dashboard in Chromium', { skip: path ? false : CHROMIUM_MISSING }, () => {
  let dashboard: DashboardFixture;
  let browser: Browser;

  before(async () => {
    [dashboard, browser] = await Promise.all([startDashboard(), launch(path!)]);
  });
  after(async () => {
    await browser?.close();
    await dashboard?.stop();
  });

  /** A page that has loaded everything. Errors of its scripts, CSP included, fail the test that asks for them. */
  async function open(options: BrowserContextOptions = {}): Promise<{ page: Page; errors: string[] }> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(WAIT_MS_MAX);
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text());
    });
    await page.goto(dashboard.url);
    await page.waitForSelector('.community-list button');
    await page.waitForSelector('#epoch .bars li');
    await page.waitForSelector('.membership tbody tr');
    await page.waitForSelector('.map-stage canvas, .map-stage svg');
    return { page, errors };
  }

  async function screenshot(page: Page, name: string): Promise<void> {
    const dir = process.env['COVEY_SCREENSHOTS'];
    if (dir) await page.screenshot({ path: `${dir}/${name}.png`, fullPage: true });
  }

  const text = async (page: Page, selector: string) =>
    (await page.locator(selector).allInnerTexts()).join('\n').replace(/\s+/g, ' ');
  const npub = (i: number) => npubEncode(dashboard.cluster.pubkeys[i]!);

  test('shows members, epoch and communities, without an error or a breach of its CSP', async () => {
    const { page, errors } = await open();
    assert.match(
      await text(page, '#figures'),
      /Epoch 1 .*Members up 4 \/ 5 Accounts 400 Follows 2,800 Communities 12 Groups 20/,
    );
    const rows = await page.locator('.members tbody tr').allInnerTexts();
    assert.equal(rows.length, 5);
    assert.match(
      rows[0]!.replace(/\s+/g, ' '),
      /^Alder ws:\/\/127\.0\.0\.1:4601 up 1 80 240 .*% 100 20\.3 1\.5 1,234/,
    );
    assert.match(rows[1]!.replace(/\s+/g, ' '), /1 to forward/);
    assert.match(rows[3]!, /refused 1\s+not enough disk/);
    assert.match(rows[4]!, /unknown|down/);
    const epoch = await text(page, '#epoch');
    assert.match(
      epoch,
      /Epoch 1 moved 37 accounts better for its readers 21 load had to be divided 9 followed its own relay list 7 12 accounts came, 3 went\. Member Copies came .* Alder 10 12 0\.8 1\.4/,
    );
    assert.match(epoch, /Relays that a reader opens, on average 2\.41/);
    assert.match(epoch, /longest first place 4\.2 s · detect 640 ms · load 210 ms/);
    const communities = await page.locator('.community-list button').allInnerTexts();
    assert.equal(communities.length, 40);
    assert.match(communities[0]!.replace(/\s+/g, ' '), /^Ada 9,000 accounts/);
    assert.deepEqual(errors, []);
    await screenshot(page, 'dashboard-1280');
    await page.context().close();
  });

  test('shows who is in, what probes found, who coordinates and who ordered what', async () => {
    const { page, errors } = await open();
    await page.waitForSelector('.membership tbody tr');
    const rows = (await page.locator('.membership tbody tr').allInnerTexts()).map((row) =>
      row.replace(/\s+/g, ' '),
    );
    assert.equal(rows.length, 6);
    assert.match(
      rows[0]!,
      /^Fir wss:\/\/fir\.example requested .*waits for an admin covey members admit f0f0f0f0f0f0… 2 none yet$/,
    );
    assert.match(
      rows[1]!,
      /^Cedar .* suspended .*found by probes .* 0 of 1 probe well .* it took an event of another <b>/,
    );
    assert.match(rows[2]!, /^Alder .* active .* 12 of 12 probes well, OK after 14 ms last /);
    assert.match(
      rows[3]!,
      /^Birch .* 1 of 2 probes well, OK after 31 ms .* it did not answer: connection refused/,
    );
    assert.match(rows[4]!, /^Dogwood .* declared /);
    const card = await text(page, '#authority');
    assert.match(
      card,
      /Placement is paused since .*: a new rack\. Members go on serving; covey resume ends it\./,
    );
    assert.match(
      card,
      /database:admin@localhost pause a new rack .* Fir join Fir .* east suspend Cedar active → suspended, found by probes/,
    );
    assert.match(card, /east cccccccccccc…cccc leads .* west dddddddddddd…dddd stands by/);
    assert.deepEqual(errors, []);
    await page.context().close();
  });

  test('draws the community graph, in the colours of the members', async () => {
    const { page } = await open();
    assert.equal(
      await page.locator('.map').getAttribute('data-renderer'),
      'webgl',
      'Chromium draws WebGL in software',
    );
    await page.locator('.map-stage canvas').nth(3).waitFor();
    assert.ok((await memberPixels(page)) > 2_000, 'circles in the colours of members');
    await page.getByRole('button', { name: 'Zoom in' }).click();
    await page.getByRole('button', { name: 'Show all' }).click();
    await page.context().close();
  });

  /** Pixels of the picture in the colours of members, counted in the page from a screenshot of it. */
  async function memberPixels(page: Page): Promise<number> {
    const png = await page.locator('.map-stage').screenshot();
    return await page.evaluate(inPage.memberPixels, png.toString('base64'));
  }

  test('without WebGL the picture is SVG', async () => {
    const plain = await launch(path!, ['--disable-3d-apis']);
    const page = await plain.newPage();
    await page.goto(dashboard.url);
    await page.waitForSelector('.map[data-renderer=svg] circle');
    assert.equal(await page.locator('circle.community').count(), 40);
    assert.ok((await memberPixels(page)) > 2_000);
    await page.locator('circle.community').first().dispatchEvent('click');
    await page.waitForSelector('.top-accounts');
    await plain.close();
  });

  test('a community: who is followed most, where its accounts live, and back', async () => {
    const { page } = await open();
    await page.getByRole('button', { name: 'Boole 4,500 accounts' }).click();
    await page.waitForSelector('.top-accounts');
    assert.equal(await page.evaluate(inPage.focusedText), 'Boole');
    const panel = await text(page, '.community-panel');
    assert.match(panel, /4,500 accounts, 27,000 follows among them/);
    assert.match(panel, /Boole follower 1 <b>&amp; npub1/, 'names are text');
    assert.match(panel, /npub1\S+…\S+ 140 followers/, 'an account without a name has its key');
    assert.match(panel, /Birch 2,250 · 46 %/);
    await page.locator('.top-accounts button').first().click();
    await page.waitForSelector('#lookup .relays');
    assert.equal(await page.inputValue('#lookup-key'), npub(10));
    await page.getByRole('button', { name: 'All communities' }).click();
    assert.match(await page.evaluate(inPage.focusedText), /^Boole/);
    await page.context().close();
  });

  test('looks an account up', async () => {
    const { page, errors } = await open();
    const sent: string[] = [];
    page.on('request', (request) => sent.push(request.url()));
    const lookUp = async (key: string) => {
      await page.getByLabel('Public key of the account').fill(key);
      await page.getByRole('button', { name: 'Look up' }).click();
    };
    await lookUp(npub(0));
    await page.waitForSelector('#lookup .relays');
    assert.match(
      await text(page, '#lookup .answer'),
      /Master Alder ws:\/\/127\.0\.0\.1:4601 Replica Birch .* Replica Cedar .* Read copy Dogwood .* Group 4,096 .*a hub/,
    );
    const why = await text(page, '#lookup .answer');
    assert.match(why, /Why here It is in the community of Ada and has 900 followers; 40 of the 300 readers/);
    assert.match(why, /Which members its readers have open Alder · holds it 40 Birch · holds it 33/);
    assert.match(why, /If one copy stood elsewhere .* Alder Elm -2 1\.2 0\.6/);
    await screenshot(page, 'dashboard-why');
    await lookUp('f'.repeat(64));
    await page.waitForSelector('#lookup .answer:has-text("slot")');
    await lookUp(noteEncode(dashboard.cluster.pubkeys[0]!));
    await page.waitForSelector('#lookup .problem');
    assert.match(await text(page, '#lookup .problem'), /note does not name an account; give an npub/);
    // The browser itself logs the 400 that was asked for.
    assert.ok(
      errors.every((error) => /400/.test(error)),
      errors.join(),
    );

    const before = sent.length;
    await lookUp(nsecEncode('01'.repeat(32)));
    await page.waitForSelector('#lookup .problem:has-text("secret key")');
    assert.equal(await page.inputValue('#lookup-key'), '');
    assert.ok(!sent.slice(before).some((url) => url.includes('nsec')), 'a secret key never leaves the page');
    await page.context().close();
  });

  test('makes a plan for what an account follows', async () => {
    const { page } = await open();
    await page.getByLabel('To read everyone that this account follows').fill(npub(0));
    await page.getByRole('button', { name: 'Make a plan' }).click();
    await page.waitForSelector('#plan .relays');
    assert.match(
      await text(page, '#plan .answer'),
      /[12] relays? serves? all 30 accounts that it follows\. .*ws:\/\/127\.0\.0\.1:46\d\d .*accounts?/,
    );
    await page.getByLabel('To read everyone that this account follows').fill(npub(5));
    await page.getByRole('button', { name: 'Make a plan' }).click();
    await page.waitForSelector('#plan .problem');
    assert.match(await text(page, '#plan .problem'), /No follow list of this account was ingested/);
    await page.context().close();
  });

  test('fits a phone: nothing to scroll sideways, with everything open', async () => {
    const { page } = await open({ viewport: PHONE, deviceScaleFactor: 2, hasTouch: true, isMobile: true });
    await page.getByLabel('Public key of the account').fill(npub(0));
    await page.getByRole('button', { name: 'Look up' }).tap();
    await page.waitForSelector('#lookup .relays');
    await page.getByLabel('To read everyone that this account follows').fill(npub(0));
    await page.getByRole('button', { name: 'Make a plan' }).tap();
    await page.waitForSelector('#plan .relays');
    await screenshot(page, 'dashboard-375');
    await page.getByRole('button', { name: 'Boole 4,500 accounts' }).tap();
    await page.waitForSelector('.top-accounts');
    const wide = await page.evaluate(inPage.tooWide);
    assert.deepEqual(wide, []);
    assert.equal(await page.evaluate(inPage.scrollWidth), PHONE.width);
    assert.match(await text(page, '.members tbody tr:first-child'), /Alder/);
    await page.context().close();
  });

  for (const colorScheme of ['light', 'dark'] as const)
    test(`text has contrast enough, and every control a name (${colorScheme})`, async () => {
      const { page } = await open({ colorScheme });
      assert.deepEqual(await page.evaluate(inPage.faintTexts), []);
      const unnamed = await page.evaluate(inPage.unnamedControls);
      assert.deepEqual(unnamed, []);
      assert.equal(await page.locator('h1').count(), 1);
      assert.equal(
        await page.locator('.members [role=columnheader]').count(),
        await page.locator('.members tbody tr:first-child > *').count(),
      );
      if (colorScheme === 'dark') await screenshot(page, 'dashboard-1280-dark');
      await page.context().close();
    });

  test('a new epoch arrives by itself', async () => {
    const { page } = await open();
    dashboard.source.set(clusterFixture({ epoch: 2, hub: true }));
    await page.evaluate(inPage.wake);
    await page.waitForSelector('#figures dd:has-text("2")');
    await page.waitForSelector('.members .warn:has-text("behind")');
    dashboard.source.set(dashboard.cluster);
    await page.context().close();
  });

  test('says that the API is gone, and since when, keeps what was known, and recovers', async () => {
    const { page } = await open();
    await dashboard.stopApi();
    await page.evaluate(inPage.wake);
    await page.waitForSelector('[role=alert] .banner');
    assert.match(await text(page, '[role=alert]'), /No connection to the API since \d\d:\d\d:\d\d\./);
    assert.equal(await page.locator('.members tbody tr').count(), 5);
    await page.getByLabel('Public key of the account').fill(npub(0));
    await page.getByRole('button', { name: 'Look up' }).click();
    await page.waitForSelector('#lookup .problem');
    assert.match(await text(page, '#lookup .problem'), /did not answer/);
    await screenshot(page, 'dashboard-no-api');
    await dashboard.startApi();
    await page.evaluate(inPage.wake);
    await page.waitForSelector('[role=alert] .banner', { state: 'detached' });
    assert.equal(await text(page, '#connection'), 'Live');
    await page.context().close();
  });

  test('where admin routes are closed, communities are not shown, and the rest is', async () => {
    await dashboard.stopApi();
    await dashboard.startApi({ admin: false });
    const page = await browser.newPage();
    await page.goto(dashboard.url);
    await page.waitForSelector('#communities .card-body p');
    assert.match(await text(page, '#communities .card-body'), /shown to admins only/);
    await page.waitForSelector('#authority .card-body p');
    assert.match(await text(page, '#authority .card-body'), /shown to admins only/);
    assert.equal(await page.locator('.members tbody tr').count(), 5);
    await page.waitForSelector('#epoch table tbody tr');
    await page.close();
    await dashboard.stopApi();
    await dashboard.startApi();
  });

  test('the page for people about the API', async () => {
    const page = await browser.newPage();
    await page.goto(`${dashboard.url}/docs`);
    await page.waitForSelector('.opblock-summary-path');
    assert.match(await text(page, '.swagger-ui'), /\/v1\/plans/);
    await page.close();
  });
});
