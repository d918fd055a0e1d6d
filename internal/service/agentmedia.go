package service

import (
	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/media/webrtc"
)

// webrtcConfig is a process's side of the agents' audio.
func webrtcConfig(w config.WebRTC) webrtc.Config {
	return webrtc.Config{Listen: w.Listen, ListenTCP: w.TCP, Advertise: w.Advertise}
}
