package audit

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestPack keeps hundreds of policies whose owners are as many as are kept, in all
// hours, in the room that there is: with fewer owners rather than not at all.
func TestPack(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 30, 0, 0, time.UTC)
	dice := rand.New(rand.NewPCG(1, 2))
	for _, tc := range []struct{ policies, owners int }{{20, keptOwners}, {300, 10}, {3000, 0}} {
		ds := days{}
		for p := range tc.policies {
			d := ds.of(fmt.Sprintf("%012x", p*7919), now)
			for o := range keptOwners {
				h := hours{}
				for hour := range int64(aDay) {
					h[hourOf(now)-hour] = 1 + dice.Int64N(50)
				}
				d.take(Owner{"Deployment", fmt.Sprintf("namespace-%d", dice.IntN(50)), fmt.Sprintf("%s-%x", strings.Repeat("web", o%5), dice.Uint32()), "team"}, h)
				d.Hours.merge(h)
			}
		}
		requests := ds[fmt.Sprintf("%012x", 7919)].told(now).Requests
		packed, err := ds.pack()
		if err != nil {
			t.Fatal(err)
		}
		again, err := unpack(packed)
		if err != nil || !reflect.DeepEqual(again, ds) {
			t.Errorf("%d policies: what was kept is not what is read: %v", tc.policies, err)
		}
		told := again[fmt.Sprintf("%012x", 7919)]
		t.Logf("%d policies: %d bytes, %d owners each", tc.policies, len(packed), len(told.Owners))
		if len(packed) > maxDays || len(told.Owners) < tc.owners || told.told(now).Requests != requests {
			t.Errorf("%d policies: %d bytes, %d owners, %d requests of %d", tc.policies, len(packed), len(told.Owners), told.told(now).Requests, requests)
		}
	}
	for _, broken := range []string{"else", "\x1f\x8b"} {
		if ds, err := unpack([]byte(broken)); err == nil || len(ds) > 0 || ds == nil {
			t.Errorf("%q: %v, %v", broken, ds, err)
		}
	}
}
