package api

import "reflect"

// eventKind is one kind of live event and the type of its data.
type eventKind struct {
	kind string
	data reflect.Type
}

// eventKinds is every kind of live event, for the OpenAPI document.
func eventKinds() []eventKind {
	return []eventKind{
		{kindFloor, reflect.TypeFor[Floor]()},
		{kindQueue, reflect.TypeFor[Queue]()},
		{kindAgent, reflect.TypeFor[Agent]()},
		{kindCall, reflect.TypeFor[CallChange]()},
		{kindReading, reflect.TypeFor[ReadingTaken]()},
		{kindVerdict, reflect.TypeFor[HeadsetJudged]()},
		{kindLost, reflect.TypeFor[Lost]()},
	}
}
