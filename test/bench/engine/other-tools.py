"""Runs one of the tools that ours is compared with, on one core.

    python other-tools.py TOOL PARTS OUT < edges

edges: nodes and edges as u32, then all sources and all targets as u32, little-endian, each undirected edge once.
OUT gets one u32 a node: its community, or its part. One line of JSON says what was used and how long it took: `buildMs`
from the arrays to the tool's own graph, `runMs` for the rest, `cpuMs` of processor time for both.

TOOL: igraph (Leiden on modularity, 2 iterations), networkit (PLM), metis-kway, metis-recursive, metis-balanced
(k-way with two constraints: as many accounts, and as many followers, in each part).
"""
import ctypes
import json
import os
import resource
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np


def main() -> None:
    tool, parts, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    data = np.frombuffer(sys.stdin.buffer.read(), dtype="<u4")
    nodes, edges = int(data[0]), int(data[1])
    sources, targets = data[2 : 2 + edges], data[2 + edges : 2 + 2 * edges]
    weights = data[2 + 2 * edges :]  # followers of each account, where given
    run = {"igraph": igraph_leiden, "networkit": networkit_plm}.get(tool)
    if run:
        result, about = run(nodes, sources, targets)
    else:
        result, about = metis(tool, parts, nodes, sources, targets, weights)
    np.asarray(result, dtype="<u4").tofile(out)
    about["peakBytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(about))


def timed(build, run):
    started, cpu = time.perf_counter(), time.process_time()
    graph = build()
    built = time.perf_counter()
    result = run(graph)
    done = time.perf_counter()
    return result, {"buildMs": round((built - started) * 1000), "runMs": round((done - built) * 1000), "cpuMs": round((time.process_time() - cpu) * 1000)}


def igraph_leiden(nodes, sources, targets):
    import random

    import igraph

    random.seed(1)
    result, about = timed(
        lambda: igraph.Graph(n=nodes, edges=np.column_stack((sources, targets))),
        lambda graph: graph.community_leiden(objective_function="modularity", n_iterations=2).membership,
    )
    return result, {"version": igraph.__version__, **about}


def networkit_plm(nodes, sources, targets):
    import networkit

    networkit.setNumberOfThreads(1)
    networkit.setSeed(1, False)

    def build():
        graph = networkit.GraphFromCoo((sources.astype(np.uint64), targets.astype(np.uint64)), n=nodes)
        return graph

    def run(graph):
        plm = networkit.community.PLM(graph, refine=True)
        plm.run()
        return plm.getPartition().getVector()

    result, about = timed(build, run)
    return result, {"version": networkit.__version__, **about}


def metis(tool, parts, nodes, sources, targets, weights):
    """The METIS that pymetis carries, called directly: pymetis itself knows one constraint only."""
    import pymetis
    from pymetis import _internal

    library = ctypes.CDLL(_internal.__file__)
    index = index_type(library)

    def build():
        ends = np.concatenate((sources, targets))
        others = np.concatenate((targets, sources))
        order = np.argsort(ends, kind="stable")
        offsets = np.zeros(nodes + 1, dtype=index)
        np.cumsum(np.bincount(ends, minlength=nodes), out=offsets[1:])
        return offsets, others[order].astype(index)

    def run(graph):
        offsets, rows = graph
        balanced = tool == "metis-balanced"
        constraints = 2 if balanced else 1
        vertex_weights = None
        if balanced:
            vertex_weights = np.empty(nodes * 2, dtype=index)
            vertex_weights[0::2] = 1
            vertex_weights[1::2] = weights
        options = np.full(40, -1, dtype=index)
        options[8] = 1  # METIS_OPTION_SEED
        return call(library, index, tool == "metis-recursive", nodes, constraints, offsets, rows, vertex_weights, parts, options)

    result, about = timed(build, run)
    return result, {"version": f"pymetis {pymetis.version}", **about}


def call(library, index, recursive, nodes, constraints, offsets, rows, vertex_weights, parts, options):
    function = library.METIS_PartGraphRecursive if recursive else library.METIS_PartGraphKway
    one = lambda value: np.array([value], dtype=index)
    pointer = lambda array: None if array is None else array.ctypes.data_as(ctypes.c_void_p)
    cut, result = one(0), np.zeros(nodes, dtype=index)
    arguments = [one(nodes), one(constraints), offsets, rows, vertex_weights, None, None, one(parts), None, None, options, cut, result]
    code = function(*[pointer(argument) for argument in arguments])
    if code != 1:
        raise RuntimeError(f"METIS answered {code}")
    return result


def index_type(library):
    """METIS is built with indexes of 32 or of 64 bits, pymetis with 64: two triangles joined by an edge tell."""
    index = np.int64
    offsets = np.array([0, 2, 4, 7, 10, 12, 14], dtype=index)
    rows = np.array([1, 2, 0, 2, 0, 1, 3, 2, 4, 5, 3, 5, 3, 4], dtype=index)
    result = call(library, index, False, 6, 1, offsets, rows, None, 2, np.full(40, -1, dtype=index))
    if len(set(result[:3])) == 1 and len(set(result[3:])) == 1 and result[0] != result[3]:
        return index
    raise RuntimeError("this METIS has no indexes of 64 bits: install pymetis from PyPI")


main()
