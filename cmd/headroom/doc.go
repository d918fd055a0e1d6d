// Command headroom is the service and its tools.
package main
