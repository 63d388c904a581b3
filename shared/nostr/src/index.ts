export * from './event.ts';
export * from './filter.ts';
export * from './hashtag.ts';
export * from './lists.ts';
export * from './negentropy/index.ts';
export * from './nip19.ts';
export * from './relay-url.ts';
export * from './signature.ts';
