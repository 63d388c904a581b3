import { freemem, totalmem } from 'node:os';

export interface MemoryCheck {
  /** `fits`; `tight`: more than is free now, and the machine may swap or end the process; `exceeds`: more than there is */
  verdict: 'fits' | 'tight' | 'exceeds';
  /** what to tell the operator */
  text: string;
}

/** What this machine, or the container around this process, has. */
export interface MachineMemory {
  totalBytes: number;
  availableBytes: number;
}

export function machineMemory(): MachineMemory {
  const limit = process.constrainedMemory();
  const total = limit > 0 && limit < totalmem() ? limit : totalmem();
  const available = process.availableMemory?.() ?? freemem();
  return { totalBytes: total, availableBytes: Math.min(available, total) };
}

/**
 * Compares what a run will need with what there is, before it begins.
 * @param what what is to be done, as in "placing 10,000,000 accounts"
 */
export function checkMemory(
  needsBytes: number,
  what: string,
  machine: MachineMemory = machineMemory(),
): MemoryCheck {
  const { totalBytes, availableBytes } = machine;
  const needs = `${what} needs about ${gigabytes(needsBytes)} of memory`;
  if (needsBytes > totalBytes) {
    return {
      verdict: 'exceeds',
      text: `${needs}; this machine has ${gigabytes(totalBytes)}: use a larger machine, or a smaller graph (trust seeds leave out whom nobody trusts)`,
    };
  }
  if (needsBytes > availableBytes) {
    return {
      verdict: 'tight',
      text: `${needs}; ${gigabytes(availableBytes)} of ${gigabytes(totalBytes)} are free: end other programs first if it is slow or killed`,
    };
  }
  return { verdict: 'fits', text: `${needs} of ${gigabytes(availableBytes)} free` };
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(bytes < 1e10 ? 1 : 0)} GB`;
}
