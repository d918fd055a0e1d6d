// Package recordings keeps the recordings of calls: it has media/record write them and the store
// remember them, repairs what a died service left behind, opens them for those who may hear them,
// and deletes them when their time has come, for good.
package recordings
