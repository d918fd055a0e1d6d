// Command headroom-load places real SIP calls with speech in G.711, and says what it heard.
package main
