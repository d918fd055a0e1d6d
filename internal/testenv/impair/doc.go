// Package impair is a bad network for tests: a UDP proxy that loses, delays, reorders and
// doubles datagrams, lets clocks drift apart, limits the rate and goes dark, each the same
// way again for the same seed.
//
// A test puts a Proxy between two peers. The near side, whoever it is and from however many
// sockets, sends to Addr; the far side, Config.To, sees one socket of the proxy's for each
// of them, as behind a NAT:
//
//	bad := impair.Link{Loss: 0.05, Burst: 3, Jitter: 30 * time.Millisecond}
//	p := impair.Start(t, impair.Config{To: server, Up: bad, Down: bad, Seed: 1})
//	client.Dial(p.Addr())
//	p.Change(impair.Link{Rate: 24_000}, impair.Link{Rate: 24_000}) // a narrow network from now on
//	p.Dark(true)                                                   // nothing passes
//	p.Dark(false)
//	p.Rebind()                                                     // the NAT gives out another port
//	p.Counts()                                                     // what became of the packets
//
// Start ends the proxy with the test. Open and Run are the same for who wants to do that.
//
// What becomes of the n-th packet of a direction follows from the seed and n alone, never
// from how busy the machine is; only delays are measured by a clock. A Line is one direction
// without sockets: a test that has its own time asks it when each packet arrives, and ten
// minutes pass in a second.
package impair
