import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { kernelNames, kernels, type Scratch, scratchFor, type Workspace } from '@covey/graph';
import { control, takeShard } from './control.ts';

/** Loads of a word before a thread sleeps: a step of the next batch is often some microseconds away. */
const SPINS = 2000;

const { state, port } = workerData as { state: Int32Array; port: MessagePort };
let attached = 0;
let workspace: Workspace | undefined;
let scratch: Scratch | undefined;

Atomics.add(state, control.started, 1);
Atomics.notify(state, control.started);
while (Atomics.load(state, control.closed) === 0) {
  const ready = Atomics.load(state, control.ready);
  const shard = takeShard(state);
  if (shard < 0) {
    waitForMore(ready);
    continue;
  }
  try {
    attach(Atomics.load(state, control.attached));
    kernels[kernelNames[Atomics.load(state, control.kernel)]](workspace!, scratch!, shard);
  } catch (error) {
    port.postMessage(String((error as Error).stack ?? error));
    Atomics.store(state, control.failed, 1);
  }
  if (Atomics.add(state, control.done, 1) + 1 === Atomics.load(state, control.shards)) {
    Atomics.notify(state, control.done);
  }
}

function waitForMore(ready: number): void {
  for (let i = 0; i < SPINS; i++) if (Atomics.load(state, control.ready) !== ready) return;
  Atomics.wait(state, control.ready, ready);
}

function attach(wanted: number): void {
  while (attached < wanted) {
    const received = receiveMessageOnPort(port);
    if (!received) throw new Error(`workspace ${wanted} was not sent`);
    workspace = received.message as Workspace;
    attached++;
  }
  const { nodes } = workspace!.level;
  if (!scratch || scratch.linked.length < nodes) scratch = scratchFor(nodes);
}
