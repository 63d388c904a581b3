"""Detection by igraph and NetworKit on an edge list of numbers (src dst a line, gzip or plain), run by detect.ts.

Prints a line of JSON a tool: modularity, seconds and CPU seconds to build the graph from arrays and to detect.
"""

import gzip, json, sys, time

import numpy

path, runs, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
opened = gzip.open(path) if path.endswith(".gz") else open(path, "rb")
pairs = numpy.loadtxt(opened, dtype=numpy.int64, comments="#", usecols=(0, 1))
pairs = pairs[pairs[:, 0] != pairs[:, 1]]
ids, pairs = numpy.unique(pairs, return_inverse=True)
pairs = numpy.sort(pairs.reshape(-1, 2), axis=1)
nodes = len(ids)


def report(tool, build, detect, **rest):
    for run in range(runs):
        clock = lambda: (time.time(), time.process_time())
        start = clock()
        graph = build()
        built = clock()
        modularity = detect(graph, run)
        end = clock()
        print(json.dumps({"tool": tool, "modularity": modularity, "buildMs": 1e3 * (built[0] - start[0]),
                          "buildCpuMs": 1e3 * (built[1] - start[1]), "detectMs": 1e3 * (end[0] - built[0]),
                          "detectCpuMs": 1e3 * (end[1] - built[1]), **rest}), flush=True)


def simple():
    keys = numpy.unique(pairs[:, 0] * nodes + pairs[:, 1])
    return numpy.stack([keys // nodes, keys % nodes], axis=1)


try:
    import random

    import igraph

    def igraph_detect(graph, run):
        random.seed(run)
        return graph.community_leiden("modularity", n_iterations=2).modularity

    report("igraph Leiden, 2 iterations", lambda: igraph.Graph(n=nodes, edges=simple()), igraph_detect)
except ImportError:
    print(json.dumps({"tool": "igraph", "missing": "pip install python-igraph numpy"}))

try:
    import networkit

    def networkit_build():
        edges = simple().astype(numpy.uint64)
        return networkit.graph.GraphFromCoo((edges[:, 0], edges[:, 1]), n=nodes, directed=False)

    def networkit_detect(graph, run):
        networkit.setSeed(run, False)
        found = networkit.community.PLM(graph)
        found.run()
        return networkit.community.Modularity().getQuality(found.getPartition(), graph)

    for count in sorted({1, threads}):
        networkit.setNumberOfThreads(count)
        report("NetworKit PLM", networkit_build, networkit_detect, threads=count)
except ImportError:
    print(json.dumps({"tool": "NetworKit", "missing": "pip install networkit numpy"}))
