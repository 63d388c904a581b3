export type { ClusterReader, EpochReport, EpochRow } from './cluster-reader.ts';
export { type ApiConfig, readApiConfig } from './config.ts';
export { ApiDatabase } from './database.ts';
export { MemberStates } from './member-states.ts';
export { ApiServer, type ApiServerOptions } from './server.ts';
export { ApiService } from './service.ts';
export type { TableSource } from './table-source.ts';
