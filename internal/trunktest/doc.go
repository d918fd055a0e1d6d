// Package trunktest tries a trunk from this machine, step by step, and says in words what is
// wrong and what to do: where its servers are (DNS), their certificates (TLS), whether they
// answer (OPTIONS), whether they take our registration, and what comes of a call.
//
// It uses sockets of its own, so that a running service is not disturbed.
package trunktest
