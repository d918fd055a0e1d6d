// Package bridge joins two legs. A packet the other side takes goes through as it is;
// anything else is put in order, decoded, resampled, encoded and cut to the other
// side's packet time. All of it happens on the reader goroutine of the leg that spoke.
package bridge
