// Package locate finds where a SIP URI leads (RFC 3263): NAPTR for the transport, SRV for
// host and port with their priorities and weights (RFC 2782), A and AAAA for the address.
//
// A [Resolver] asks one DNS server at a time, within a deadline, and keeps what it learns for
// as long as the records say. What a hostile zone can make it do is bounded: so many queries
// for a URI, so many records of an answer, so many targets, so long in memory.
package locate
