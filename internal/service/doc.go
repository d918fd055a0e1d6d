// Package service puts the parts together and runs them: the store, the switchboard, the
// SIP server, the agents' gateway and the API. `headroom serve` and the end-to-end tests
// run the very same thing.
package service
