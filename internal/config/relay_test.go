package config

import "testing"

func TestWhatAgentsCanBeToldToReachTheRelayAt(t *testing.T) {
	for address, want := range map[string]bool{
		"media.example": true, "media.example:443": true, "192.0.2.7": true, "[2001:db8::7]:443": true, "2001:db8::7": true,
		"https://media.example": false, "media example": false, "media.example:0": false, "media.example:70000": false, "0.0.0.0": false, ":443": false,
	} {
		if got := reachable(address); got != want {
			t.Errorf("%q: %v", address, got)
		}
	}
}
