package webhook_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/webhook"
)

// TestNothingStays holds that what a handler keeps for its next request ends when
// there is none: a goroutine that were left here would fail the test.
func TestNothingStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handler, err := webhook.New(webhook.Config{Decider: compile(t, pods, v1alpha1.PolicySpec{})})
		if err != nil {
			t.Fatalf("New(...): %v", err)
		}
		for range 3 {
			request := httptest.NewRequest(http.MethodPost, webhook.PathValidate, strings.NewReader(review("u-1", "good")))
			request.Header.Set("Content-Type", "application/json")
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, request)
			if answer.Code != http.StatusOK {
				t.Errorf("POST: want 200, got %d %s", answer.Code, answer.Body)
			}
		}
		time.Sleep(time.Hour)
	})
}
