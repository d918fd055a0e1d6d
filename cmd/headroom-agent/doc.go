// Command headroom-agent is the agent's desk: it signs in to a Headroom service, takes
// calls through a headset and measures the headset's microphone.
package main
