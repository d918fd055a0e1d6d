// Package filter holds the filters that several meters share.
package filter
