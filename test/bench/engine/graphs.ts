import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type BuiltGraph, buildGraph, type EdgeList, parseEdgeList } from '@covey/graph';

const undirectedFiles = ['deezer_europe', 'facebook_combined', 'git_web_ml', 'lastfm_asia'];
const usualFiles = ['nostr-2025-07-23', 'soc-Epinions1', 'synth-follow-200k'];

export interface BenchGraph {
  file: string;
  list: EdgeList;
  /** edges are read both ways */
  both: boolean;
  graph: BuiltGraph;
}

/** The files named, or the usual ones of the folder of shared graphs. @throws Error that says what to give */
export function graphFiles(named: readonly string[] | undefined): readonly string[] {
  if (named) return named;
  const folder =
    process.env['COVEY_GRAPHS'] ?? new URL('../../../../shared/graphs', import.meta.url).pathname;
  const files = usualFiles.map((name) => `${folder}/${name}.txt.gz`).filter((file) => existsSync(file));
  if (files.length > 0) return files;
  throw new Error(
    `no graph in ${folder}: give --graph FILE (an edge list), or set COVEY_GRAPHS to a folder with ${usualFiles.join(', ')} (.txt.gz)`,
  );
}

/** A file named like the undirected ones of the shared graphs is read both ways, or any with `undirected`. */
export function readBenchGraph(file: string, undirected: boolean): BenchGraph {
  const bytes = readFileSync(file);
  const list = parseEdgeList([bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes]);
  const both = undirected || undirectedFiles.some((name) => basename(file).startsWith(name));
  return { file: basename(file), list, both, graph: buildFrom(list, both) };
}

export function buildFrom({ names, sources, targets }: EdgeList, both: boolean): BuiltGraph {
  if (!both) return buildGraph(names.length, sources, targets);
  const join = (a: Uint32Array, b: Uint32Array): Uint32Array => {
    const joined = new Uint32Array(a.length * 2);
    joined.set(a);
    joined.set(b, a.length);
    return joined;
  };
  return buildGraph(names.length, join(sources, targets), join(targets, sources));
}
