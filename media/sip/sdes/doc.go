// Package sdes reads and writes the a=crypto lines of a session description (RFC 4568):
// the SRTP master key of the party that wrote them. It decides nothing; which line is
// taken, and whether one is needed, is media/sip's business.
package sdes
