// Package testenv runs the whole system in one process, for end-to-end tests: the real
// service on loopback, real agents' clients over WebRTC, real callers over SIP.
package testenv
