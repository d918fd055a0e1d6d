package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/toll"
)

// defaultDialling opens nothing but emergency numbers, and bounds what a file opens.
func defaultDialling() model.DialRules {
	return model.DialRules{
		Emergency: []string{"112", "911"}, LongestCall: 2 * time.Hour,
		Limits: model.DialLimits{User: model.DialLimit{Calls: 200, Talk: 8 * time.Hour, AtOnce: 3}},
	}
}

// checkDialling checks who may call where, and as whom queues call.
func checkDialling(site model.Site, f *findings) {
	d := site.Dialling
	checkNumbers(f, "dialling.numbers", d.Numbers)
	if d.Emergency != nil && len(d.Emergency) == 0 {
		f.add("dialling.emergency", "at least one number is needed, like 112; leave the key out for 112 and 911")
	}
	for _, p := range toll.Check(site) {
		f.add(p.Key, "%s", p.Text)
	}
}

// checkNumbers checks a plan of numbers.
func checkNumbers(f *findings, key string, n model.TrunkNumbers) {
	for _, p := range [][2]string{{"country", n.Country}, {"national", n.National}, {"international", n.International}} {
		if len(p[1]) > 6 || strings.Trim(p[1], "0123456789") != "" {
			f.add(key+"."+p[0], "%q is not a prefix; use up to 6 digits", p[1])
		}
	}
	if n.Country == "" && n != (model.TrunkNumbers{}) {
		f.add(key+".country", "a country code is needed, like 49")
	}
	checkOptional(f, key+".bare", n.Bare, "keep", "e164", "national")
	checkRange(f, key+".short", n.Short, 0, 15)
}

// tidyDialling makes lists that hold nothing the same as lists that are not there.
func tidyDialling(d *model.DialRules) {
	emergency := d.Emergency
	tidyLists(reflect.ValueOf(d).Elem())
	d.Emergency = emergency // that one may not be empty
}

func tidyLists(v reflect.Value) {
	for i := range v.NumField() {
		field := v.Field(i)
		switch {
		case field.Kind() == reflect.Struct:
			tidyLists(field)
		case field.Kind() != reflect.Slice:
		case field.Len() == 0:
			field.SetZero()
		case field.Type().Elem().Kind() == reflect.Struct:
			for j := range field.Len() {
				tidyLists(field.Index(j))
			}
		}
	}
}

// writeDialling writes all values, the zeros too: here they mean that there is no limit.
func writeDialling(b *strings.Builder, d model.DialRules) {
	if reflect.ValueOf(d).IsZero() { // never applied: what a file without it has is right
		return
	}
	fmt.Fprintln(b, "dialling:")
	if len(d.Emergency) == 0 {
		d.Emergency = defaultDialling().Emergency
	}
	writeAll(b, "  ", "  ", reflect.ValueOf(d))
}

// writeAll writes a struct's fields, the first behind other words than its indent.
func writeAll(b *strings.Builder, first, indent string, v reflect.Value) {
	for i := range v.NumField() {
		key, field := v.Type().Field(i).Tag.Get("yaml"), v.Field(i)
		fmt.Fprintf(b, "%s%s:", first, key)
		first = indent
		switch value := field.Interface().(type) {
		case time.Duration:
			fmt.Fprintf(b, " %s\n", value)
			continue
		case []string:
			fmt.Fprintf(b, " %s\n", flow(value))
			continue
		}
		switch {
		case field.Kind() == reflect.String:
			fmt.Fprintf(b, " %s\n", quote(field.String()))
		case field.Kind() == reflect.Struct:
			fmt.Fprintln(b)
			writeAll(b, indent+"  ", indent+"  ", field)
		case field.Kind() == reflect.Slice && field.Len() == 0:
			fmt.Fprintln(b, " []")
		case field.Kind() == reflect.Slice:
			fmt.Fprintln(b)
			for j := range field.Len() {
				writeAll(b, indent+"  - ", indent+"    ", field.Index(j))
			}
		default:
			fmt.Fprintf(b, " %v\n", field.Interface())
		}
	}
}
