package torture

// Messages are all of them, in the order of the RFCs.
func Messages() []Message { return append(rfc4475(), rfc5118()...) }

func rfc4475() []Message {
	list := []Message{
		// Valid messages
		{Section: "3.1.1.1", Name: "wsinv", What: "a short tortuous INVITE: white space, folding, short forms", Want: "481"}, // it has a To tag
		{Section: "3.1.1.2", Name: "intmeth", What: "a wide range of valid characters, in the method too", Want: "501"},
		{Section: "3.1.1.3", Name: "esc01", What: "escapes in URIs", Want: "404"},
		{Section: "3.1.1.4", Name: "escnull", What: "escaped nulls in URIs", Want: registers},
		{Section: "3.1.1.5", Name: "esc02", What: "% that is no escape, in the method too", Want: "501"},
		{Section: "3.1.1.6", Name: "lwsdisp", What: "no white space between a name and <", Want: "200"},
		{Section: "3.1.1.7", Name: "longreq", What: "long values in header fields", Want: "404"},
		{Section: "3.1.1.8", Name: "dblreq", What: "something behind the end of a datagram's message", Want: registers},
		{Section: "3.1.1.9", Name: "semiuri", What: "parameters of the user in a URI", Want: "200"},
		{Section: "3.1.1.10", Name: "transports", What: "transports of all kinds in Via", Want: "200"},
		{Section: "3.1.1.11", Name: "mpart01", What: "a body of several parts, signed", Want: "405"},
		{Section: "3.1.1.12", Name: "unreason", What: "an unusual reason phrase", Want: ""},
		{Section: "3.1.1.13", Name: "noreason", What: "an empty reason phrase", Want: ""},
		// Invalid messages
		{Section: "3.1.2.1", Name: "badinv01", What: "extraneous separators in header fields", Want: "400"},
		{Section: "3.1.2.2", Name: "clerr", What: "a Content-Length that is larger than the message", Want: "400"},
		{Section: "3.1.2.3", Name: "ncl", What: "a negative Content-Length", Want: "400"},
		{Section: "3.1.2.4", Name: "scalar02", What: "numbers in a request that are too large", Want: "400"},
		{Section: "3.1.2.5", Name: "scalarlg", What: "numbers in a response that are too large", Want: ""},
		{Section: "3.1.2.6", Name: "quotbal", What: "a quote without an end in a name", Want: "400"},
		{Section: "3.1.2.7", Name: "ltgtruri", What: "the Request-URI in <>", Want: "400"},
		{Section: "3.1.2.8", Name: "lwsruri", What: "white space within the Request-URI", Want: "400"},
		{Section: "3.1.2.9", Name: "lwsstart", What: "several spaces in the start line", Want: "400"},
		{Section: "3.1.2.10", Name: "trws", What: "spaces at the end of the start line", Want: "400"},
		{Section: "3.1.2.11", Name: "escruri", What: "escaped header fields in the Request-URI", Want: "400|404"},
		{Section: "3.1.2.12", Name: "baddate", What: "a date in a time zone that is not GMT", Want: "400|404"},
		{Section: "3.1.2.13", Name: "regbadct", What: "a name-addr that must be in <> is not", Want: "400|" + registers},
		{Section: "3.1.2.14", Name: "badaspec", What: "spaces within an addr-spec", Want: "400|200"},
		{Section: "3.1.2.15", Name: "baddn", What: "a name that is no token, without quotes", Want: "400|200"},
		{Section: "3.1.2.16", Name: "badvers", What: "an unknown protocol version", Want: "505"},
		{Section: "3.1.2.17", Name: "mismatch01", What: "a start line and a CSeq of different methods", Want: "400"},
		{Section: "3.1.2.18", Name: "mismatch02", What: "an unknown method, and another in CSeq", Want: "400|501"},
		{Section: "3.1.2.19", Name: "bigcode", What: "an overlarge status", Want: ""},
		// Transaction layer
		{Section: "3.2.1", Name: "badbranch", What: "a branch of nothing but the magic cookie", Want: "400|200"},
		// Application layer
		{Section: "3.3.1", Name: "insuf", What: "required header fields are missing", Want: "400"},
		{Section: "3.3.2", Name: "unkscm", What: "a Request-URI of an unknown scheme", Want: "416"},
		{Section: "3.3.3", Name: "novelsc", What: "a Request-URI of a known scheme that is not SIP's", Want: "416"},
		{Section: "3.3.4", Name: "unksm2", What: "unknown schemes in header fields", Want: "400|" + registers},
		{Section: "3.3.5", Name: "bext01", What: "Require and Proxy-Require of what nobody has", Want: "420"},
		{Section: "3.3.6", Name: "invut", What: "a body of an unknown type", Want: "415"},
		{Section: "3.3.7", Name: "regaut01", What: "an unknown way to authenticate", Want: registers},
		{Section: "3.3.8", Name: "multi01", What: "several values where there must be one", Want: "400"},
		{Section: "3.3.9", Name: "mcl01", What: "several values of Content-Length", Want: "400"},
		{Section: "3.3.10", Name: "bcast", What: "a 200 whose second Via is a broadcast address", Want: ""},
		{Section: "3.3.11", Name: "zeromf", What: "Max-Forwards of zero, at its end", Want: "200|483"},
		{Section: "3.3.12", Name: "cparam01", What: "a parameter of Contact itself", Want: registers},
		{Section: "3.3.13", Name: "cparam02", What: "a parameter of the URI in Contact", Want: registers},
		{Section: "3.3.14", Name: "regescrt", What: "an escaped header field in the URI of Contact", Want: registers},
		{Section: "3.3.15", Name: "sdp01", What: "an Accept that leaves no way to answer the offer", Want: "406"},
		// Compatibility with RFC 2543
		{Section: "3.4.1", Name: "inv2543", What: "an INVITE of RFC 2543: no tag, branch, Max-Forwards", Want: "400", Miss: "elements that want to understand RFC 2543 should accept it; without a From tag there is no dialog as RFC 3261 has them (section 12.1.1), so this is refused"},
	}
	for i := range list {
		list[i].RFC = 4475
	}
	return list
}

func rfc5118() []Message {
	list := []Message{
		{Section: "4.1", Name: "ipv6-good", What: "an IPv6 reference", Want: registers},
		{Section: "4.2", Name: "ipv6-bad", What: "an IPv6 address without brackets", Want: "400"},
		{Section: "4.3", Name: "port-ambiguous", What: "a port within the brackets", Want: registers},
		{Section: "4.4", Name: "port-unambiguous", What: "a port behind the brackets", Want: registers},
		{Section: "4.5", Name: "via-received-param-with-delim", What: "a received parameter in brackets", Want: "481"},
		{Section: "4.5", Name: "via-received-param-no-delim", What: "a received parameter without brackets", Want: "200"},
		{Section: "4.6", Name: "ipv6-in-sdp", What: "IPv6 addresses in the description, in a codec that is not ours", Want: "488"},
		{Section: "4.7", Name: "mult-ip-in-header", What: "IPv4 and IPv6 addresses in Via", Want: "481"},
		{Section: "4.8", Name: "mult-ip-in-sdp", What: "IPv4 and IPv6 addresses in the description", Want: "404"},
		{Section: "4.9", Name: "ipv4-mapped-ipv6", What: "IPv4 addresses mapped into IPv6, in a codec that is not ours", Want: "488"},
		{Section: "4.10", Name: "ipv6-bug-abnf-3-colons", What: "a colon too many, as the grammar of RFC 3261 has it", Want: "200"},
		{Section: "4.10", Name: "ipv6-correct-abnf-2-colons", What: "the same as it should be", Want: "200"},
	}
	for i := range list {
		list[i].RFC = 5118
	}
	return list
}
