// Package acd decides who gets the next call. It is pure: Apply takes the state and one
// event and gives back the actions to carry out; it knows no clock, no audio and no store.
package acd
