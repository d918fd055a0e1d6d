package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// check finds what is missing to the relay, and what nobody could connect to.
func (r Relay) check(f *findings) {
	checkListen(f, "webrtc.relay.listen", r.Listen, true)
	switch {
	case (r.Certificate == "") != (r.Key == ""):
		f.add("webrtc.relay.certificate", "a certificate and its key go together")
	case r.Listen != "" && r.Certificate == "":
		f.add("webrtc.relay.certificate", "the relay speaks TLS, so the files of a certificate and its key are needed")
	}
	switch {
	case r.Listen != "" && r.Address == "":
		f.add("webrtc.relay.address", "is needed with webrtc.relay.listen; write the host name that the certificate is of, like media.example")
	case r.Address != "" && !reachable(r.Address):
		f.add("webrtc.relay.address", "%q is no host; write it like media.example, or media.example:443", r.Address)
	}
}

// reachable says whether address is a host name or an IP address, perhaps with a port.
func reachable(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	} else if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return false
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return !ip.IsUnspecified()
	}
	return host != "" && len(host) <= 253 && !strings.ContainsFunc(host, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '-'
	})
}
