export { ThreadError, ThreadTeam } from './thread-team.ts';
