import type { Command } from 'commander';
import { registerApi } from './api.ts';
import { registerCoordinator } from './coordinator.ts';
import { registerRelay } from './relay.ts';

/** The commands that run one service each. */
export function registerServices(program: Command): void {
  registerCoordinator(program);
  registerRelay(program);
  registerApi(program);
}
