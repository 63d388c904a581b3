// The package ships types for its browser build only; these are the parts of its Node build that are used here.
declare module 'nostr-social-graph/dist/nostr-social-graph.es.js' {
  export class SocialGraph {
    static fromBinary(root: string, data: Uint8Array): Promise<SocialGraph>;
    getInternalData(): {
      followedByUser: Map<number, Set<number>>;
      followListCreatedAt: Map<number, number>;
      str: (id: number) => string;
    };
  }
}
