package resources

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestFromFloat(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		units float64
		want  Amount
		err   error
	}{
		{0, 0, nil},
		{1, 10_000, nil},
		{0.5, 5_000, nil},
		{0.0001, 1, nil},
		{0.1 + 0.2, 3_000, nil},
		{1.00004, 10_000, nil},
		{1.00006, 10_001, nil},
		{200e9, 200e9 * 10_000, nil},
		{0.00009, 0, ErrPrecision},
		{math.SmallestNonzeroFloat64, 0, ErrPrecision},
		{-0.0001, 0, ErrNegative},
		{math.Inf(-1), 0, ErrNegative},
		{math.Inf(1), 0, ErrRange},
		{math.NaN(), 0, ErrRange},
		{1e18, 0, ErrRange},
	} {
		got, err := FromFloat(tc.units)
		if got != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("FromFloat(%g) is %d, %v; want %d, %v", tc.units, got, err, tc.want, tc.err)
		}
	}
}

func TestFromInt(t *testing.T) {
	t.Parallel()
	most := int64(MaxAmount / Unit)
	for _, tc := range []struct {
		units int64
		want  Amount
		err   error
	}{
		{0, 0, nil},
		{3, 30_000, nil},
		{most, Amount(most) * Unit, nil},
		{most + 1, 0, ErrRange},
		{-1, 0, ErrNegative},
	} {
		got, err := FromInt(tc.units)
		if got != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("FromInt(%d) is %d, %v; want %d, %v", tc.units, got, err, tc.want, tc.err)
		}
	}
}

func TestAmountString(t *testing.T) {
	t.Parallel()
	for want, a := range map[string]Amount{
		"0": 0, "1": 10_000, "0.5": 5_000, "0.0001": 1, "-1.25": -12_500, "12.034": 120_340,
		"-922337203685477.5808": math.MinInt64,
	} {
		if got := a.String(); got != want {
			t.Errorf("%d is %q, want %q", int64(a), got, want)
		}
	}
}

// What goes out to a user and comes in again is the same amount. It is rounded on both
// ways, each time by up to one part in 2^53, so that is certain up to 2^51.
func TestFloatRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := Amount(rapid.Int64Range(0, 1<<51).Draw(t, "amount"))
		if got, err := FromFloat(a.Float()); err != nil || got != a {
			t.Fatalf("%d came back as %d, %v", a, got, err)
		}
	})
}
