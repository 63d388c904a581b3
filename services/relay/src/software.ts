/** Named in NIP-11 and heartbeats. */
export const SOFTWARE = 'covey-relay';
export const VERSION = '0.1.0';
