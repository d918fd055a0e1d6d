// Package mediatest makes tones and finds them again, and has a leg that stands in for
// a real one: for tests in which audio goes in at one end and must come out at the other.
package mediatest
