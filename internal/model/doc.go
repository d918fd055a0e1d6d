// Package model holds the nouns of the call centre: identities, the site, what is
// recorded of a call, and what is known of a headset. It has no behaviour beyond
// small questions about one value, and everything above it speaks in these words.
package model
