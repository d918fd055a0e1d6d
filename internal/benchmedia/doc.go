// Command benchmedia is what `make bench-media` runs: calls with speech through the service, and
// through rtpengine beside it, in one run on one machine. It measures what a call costs there in
// processor and memory, and by how much later the speech arrives, and writes the rows to
// build/bench-media.json and a page to docs/. It is also what `make soak` and `make kills` run.
package main
