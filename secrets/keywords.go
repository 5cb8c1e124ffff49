package secrets

// keywords finds many words in a text in one pass, whatever their case. It is the
// automaton of Aho and Corasick, with a row of next states for each state, so
// that a byte of text costs one look-up and no text costs more than another.
type keywords struct {
	class [256]uint8        // column of a byte; 0 is for those that no word has
	next  [][columns]uint16 // the next state, with accepting set if it has ends
	ends  [][]wordEnd       // the words that end in a state
	fail  []uint16          // the state of the longest proper suffix
	width int               // columns in use
}

const (
	columns   = 64
	accepting = 1 << 15
)

// A wordEnd is a word that ends in a state, and what it stands for.
type wordEnd struct{ number, length int }

// add makes word, in lower case, stand for number. Build comes after the last.
func (k *keywords) add(word string, number int) {
	if len(k.next) == 0 {
		k.grow()
	}
	state := uint16(0)
	for i := range len(word) {
		column := k.column(word[i])
		if k.next[state][column] == 0 {
			k.next[state][column] = k.grow()
		}
		state = k.next[state][column]
	}
	k.ends[state] = append(k.ends[state], wordEnd{number, len(word)})
}

func (k *keywords) grow() uint16 {
	k.next = append(k.next, [columns]uint16{})
	k.ends = append(k.ends, nil)
	k.fail = append(k.fail, 0)
	return uint16(len(k.next) - 1)
}

// column returns the column of a byte, its own or a new one.
func (k *keywords) column(b byte) uint8 {
	if k.class[b] == 0 {
		k.width++
		k.class[b] = uint8(k.width)
		if 'a' <= b && b <= 'z' {
			k.class[b-'a'+'A'] = uint8(k.width)
		}
	}
	return k.class[b]
}

// build fills in where each state goes on, the shortest words first.
func (k *keywords) build() {
	queue := []uint16{}
	for _, state := range k.next[0] {
		if state != 0 {
			queue = append(queue, state)
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		state := queue[0]
		suffix := k.fail[state]
		k.ends[state] = append(k.ends[state], k.ends[suffix]...)
		for column, next := range k.next[state] {
			if next == 0 {
				k.next[state][column] = k.next[suffix][column]
				continue
			}
			k.fail[next] = k.next[suffix][column]
			queue = append(queue, next)
		}
	}
	k.mark()
}

// mark tells the states that end a word from the others.
func (k *keywords) mark() {
	for i := range k.next {
		for column, state := range k.next[i] {
			if len(k.ends[state]) > 0 {
				k.next[i][column] |= accepting
			}
		}
	}
	k.fail = nil
}

// each calls yield for each word in text, in order of their ends, until it says no.
func (k *keywords) each(text string, yield func(number, start, end int) bool) {
	state := uint16(0)
	for i := range len(text) {
		state = k.next[state][k.class[text[i]]%columns]
		if state < accepting {
			continue
		}
		state &^= accepting
		for _, word := range k.ends[state] {
			if !yield(word.number, i+1-word.length, i+1) {
				return
			}
		}
	}
}
