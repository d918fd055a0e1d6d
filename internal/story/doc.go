// Package story tells what the record holds of one call in words that somebody on the
// telephone with a carrier, or with the agent, can read out.
package story
