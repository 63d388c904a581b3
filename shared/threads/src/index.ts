export { checkMemory, type MachineMemory, type MemoryCheck, machineMemory } from './memory-check.ts';
export { ThreadError, ThreadTeam } from './thread-team.ts';
