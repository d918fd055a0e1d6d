package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// answering is a SIP server on UDP that says 200 to everything.
func answering(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = conn.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 65536)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			reply := []string{"SIP/2.0 200 OK"}
			for line := range strings.SplitSeq(string(buf[:n]), "\r\n") {
				switch name, _, _ := strings.Cut(line, ":"); name {
				case "Via", "From", "Call-ID", "CSeq":
					reply = append(reply, line)
				case "To":
					reply = append(reply, line+";tag=far")
				}
			}
			_, _ = conn.WriteToUDPAddrPort([]byte(strings.Join(append(reply, "Content-Length: 0", "", ""), "\r\n")), from)
		}
	}()
	return conn.LocalAddr().String()
}

func TestATrunkIsTriedBesideTheServiceAndTheExitStatusSaysWhetherAllIsWell(t *testing.T) {
	t.Chdir(t.TempDir())
	service, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}) // has its port
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = service.Close() }()
	process := fmt.Sprintf("sip:\n  udp: %s\n  tcp: \"\"\n", service.LocalAddr())
	site := fmt.Sprintf("trunks:\n  - name: good\n    outbound:\n      targets: [{uri: \"sip:%s\"}]\n  - name: bad\n    outbound:\n      targets: [{uri: \"sip:%s\"}]\n      first_reply: 500ms\n"+
		"  - name: inward\n    sources: [192.0.2.1]\n", answering(t), service.LocalAddr())
	for name, text := range map[string]string{"headroom.yaml": process, "site.yaml": site} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if status, _, complaint := command(t, "", "apply", "--config", "headroom.yaml", "site.yaml"); status != 0 {
		t.Fatal(complaint)
	}
	for _, c := range []struct {
		args   []string
		status int
		said   string
	}{
		{[]string{"good"}, 0, "trunk good: all is well"},
		{[]string{"bad"}, 1, "no answer from " + service.LocalAddr().String() + " over UDP within 500ms"},
		{[]string{"inward"}, 1, "has no outbound.targets"},
		{[]string{"god"}, 1, `there is no trunk "god"; the site in force has good, bad, inward`},
		{[]string{"good", "--listen", "1h"}, 2, "--answer and --listen are from 1s to 10m0s"},
	} {
		status, out, complaint := command(t, "", append([]string{"trunk", "test", "--config", "headroom.yaml"}, c.args...)...)
		if status != c.status || !strings.Contains(out+complaint, c.said) {
			t.Errorf("%v: status %d, said\n%s%s", c.args, status, out, complaint)
		}
	}
	var result struct {
		Trunk  string
		OK     bool
		Checks []struct{ Step, Outcome, Server string }
	}
	status, out, complaint := command(t, "", "trunk", "test", "--config", "headroom.yaml", "--json", "bad")
	if err := json.Unmarshal([]byte(out), &result); err != nil || status != 1 || result.OK || result.Trunk != "bad" || len(result.Checks) != 2 || result.Checks[1].Outcome != "failed" {
		t.Errorf("status %d, %v, said\n%s%s", status, err, out, complaint)
	}
}

func TestATrunkTestInTheWrongFolderSaysSo(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if status, _, complaint := command(t, "", "trunk", "test", "carrier"); status != 1 || !strings.Contains(complaint, filepath.Join(dir, "headroom-data")) {
		t.Errorf("status %d, said %q", status, complaint)
	}
}
