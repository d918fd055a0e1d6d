// Command headroom-load places real SIP calls with speech in G.711, and says what it heard. As
// `headroom-load media` it brings the agents who answer, too, by the hundred.
package main
