package resources

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Amount is a number of ten-thousandths of a unit: of a CPU, of a byte.
type Amount int64

const (
	// Unit is the Amount of one whole CPU, GPU or byte.
	Unit Amount = 10_000
	// MaxAmount is the largest Amount that users may ask for or offer, about 461
	// trillion units. Half of the integers are left, so that no sum of an amount
	// and a total can overflow.
	MaxAmount Amount = math.MaxInt64 / 2
)

var (
	// ErrNegative says that an amount is below zero.
	ErrNegative = errors.New("resources: amount is negative")
	// ErrPrecision says that an amount is above zero, but below 0.0001.
	ErrPrecision = errors.New("resources: precision of an amount cannot go beyond 0.0001")
	// ErrRange says that an amount is not a number or above MaxAmount.
	ErrRange = errors.New("resources: amount out of range")
)

// FromFloat converts units to an Amount, rounded to the nearest. The errors are
// ErrNegative, ErrPrecision and ErrRange.
func FromFloat(units float64) (Amount, error) {
	scaled := units * float64(Unit)
	switch {
	case units < 0:
		return 0, fmt.Errorf("%w: %g", ErrNegative, units)
	case math.IsNaN(units) || scaled >= float64(MaxAmount):
		return 0, fmt.Errorf("%w: %g", ErrRange, units)
	case units > 0 && scaled < 1-tolerance:
		return 0, fmt.Errorf("%w: %g", ErrPrecision, units)
	}
	return Amount(math.Round(scaled)), nil
}

// tolerance lets 0.0001 through, whatever its last bit is.
const tolerance = 1e-9

// FromInt converts whole units. The errors are ErrNegative and ErrRange.
func FromInt(units int64) (Amount, error) {
	switch {
	case units < 0:
		return 0, fmt.Errorf("%w: %d", ErrNegative, units)
	case units > int64(MaxAmount/Unit):
		return 0, fmt.Errorf("%w: %d", ErrRange, units)
	}
	return Amount(units) * Unit, nil
}

// Float returns the amount in units, for users to see.
func (a Amount) Float() float64 { return float64(a) / float64(Unit) }

// String returns the amount in units, exactly: 1, 0.5, -0.0001.
func (a Amount) String() string {
	sign, n := "", uint64(a)
	if a < 0 {
		sign, n = "-", -n
	}
	s := sign + strconv.FormatUint(n/uint64(Unit), 10)
	if rest := n % uint64(Unit); rest != 0 {
		s += "." + strings.TrimRight(fmt.Sprintf("%04d", rest), "0")
	}
	return s
}
