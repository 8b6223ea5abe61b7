/*
 * Refresh rotation for spin: the protocol of docs/sessions.md as a state machine.
 *
 * A token is its generation. The network is a set that forgets nothing: what was sent may arrive never, late, often
 * and in any order, save a request more than LATE generations old, whose token has expired. Tabs share one store. Time
 * is left out. A repeated key is left out: it is a client's fault, and rotates nothing.
 *
 * Each FAULT takes away one rule, of the service or of the client; spin must find what that breaks.
 */

#ifndef MAX
#define MAX 6 /* the last generation */
#endif
#ifndef MEMORY
#define MEMORY 3 /* superseded keys that the row remembers */
#endif
#ifndef LATE
#define LATE 4 /* MEMORY, and the key of the present generation */
#endif
#ifndef TABS
#define TABS 2
#endif

#define NONE 0
#define FIRST 1  /* the key that is made for a token */
#define SECOND 2 /* another one for the same token, against the rule */
#define THIEFS 3

#ifdef KEYLESS
#define KEY NONE
#else
#define KEY FIRST
#endif

#define BIT(n) (1 << (n))
#define HAS(set, n) (((set) & BIT(n)) != 0)

/* The session's row. */
byte generation;
byte made_by[MAX + 2]; /* the key that made a generation */
bool over;
short live = 1; /* the refresh tokens that would rotate now */

/* The network: requests by key, answers by the token that was presented. */
short asked[3];
short granted;
short refused;

/* The client's store. */
byte stored;
byte key = KEY;
bool logged_out;

/* Since the newest theft. */
short loot;
bool thief_went_on;
bool client_went_on;

hidden byte verdict;
#define ROTATED 1
#define REPLAYED 2
#define REFUSED 3

#define KNOWS(token, shown) (shown != NONE && shown == made_by[token + 1] && generation - token <= MEMORY + 1)
#ifdef GRACE /* in the window or past it, as the checker likes */
#define FORGIVES(shown) (shown == NONE && made_by[generation] == NONE)
#else
#define FORGIVES(shown) false
#endif

inline rotate(token, shown) {
    generation++;
    made_by[generation] = shown;
    live = (live & ~BIT(token)) | BIT(generation);
    verdict = ROTATED
}

inline end_session() {
#ifndef FAULT_REUSE_FORGIVEN
    over = true;
    live = 0;
#endif
    verdict = REFUSED
}

/* One conditional update, or a verdict under the row's lock: always inside one atomic step. */
inline judge(token, shown) {
    if
    :: over -> verdict = REFUSED
    :: else ->
        if
        :: token == generation -> rotate(token, shown)
        :: token + 1 == generation && KNOWS(token, shown) -> verdict = REPLAYED
        :: token + 1 == generation && FORGIVES(shown) -> verdict = REPLAYED
        :: token + 1 < generation && KNOWS(token, shown) -> verdict = REFUSED
        :: token < generation && !KNOWS(token, shown) -> end_session()
        fi
    fi
}

inline answer(token) {
    client_went_on = client_went_on || token == stored;
    if
    :: verdict == REFUSED -> refused = refused | BIT(token)
    :: else -> granted = granted | BIT(token)
    fi
}

/* A request of the client, handled whenever and however often the network likes. */
#define ARRIVES(token, shown) \
    (HAS(asked[shown], token) && generation < MAX && (token == stored || generation - token <= LATE))

proctype request(byte token; byte shown) {
#ifdef FAULT_CHECK_THEN_WRITE
    do
    :: atomic { ARRIVES(token, shown) && !over && HAS(live, token) -> skip };
       atomic { generation < MAX -> rotate(token, shown); answer(token) }
    od
#else
    do
    :: atomic { ARRIVES(token, shown) -> judge(token, shown); answer(token) }
    od
#endif
}

proctype tab(byte number) {
    byte token; /* of the answer that it waits for */
    do
    :: atomic { !logged_out && stored < MAX ->
        token = stored;
#ifdef FAULT_KEY_OF_EACH_TAB
        asked[number] = asked[number] | BIT(token)
#else
        asked[key] = asked[key] | BIT(token)
#endif
       }
    :: atomic { HAS(granted, token) && !logged_out ->
        if
        :: stored == token -> stored = token + 1; key = KEY
#ifdef FAULT_LATE_ANSWER_STORED
        :: stored > token + 1 -> stored = token + 1; key = SECOND
#endif
        :: else
        fi;
        token = stored
       }
    :: atomic { HAS(refused, token) ->
#ifndef FAULT_LATE_REFUSAL_BELIEVED
        if
        :: stored == token -> logged_out = true
        :: else
        fi;
#else
        logged_out = true;
#endif
        token = stored
       }
    od
}

proctype theft() {
    do
    :: atomic { !HAS(loot, stored) -> loot = loot | BIT(stored); client_went_on = false }
    od
}

proctype thief(byte token; byte shown) {
    do
    :: atomic { HAS(loot, token) && generation < MAX ->
        judge(token, shown);
        thief_went_on = true;
        if
        :: verdict == REFUSED
        :: else -> loot = loot | BIT(token + 1)
        fi
       }
    od
}

init {
    byte number;
    atomic {
        for (number : 1 .. TABS) {
            run tab(number)
        }
        for (number : 0 .. MAX - 1) {
            run request(number, KEY);
#ifdef FAULT_CHECK_THEN_WRITE
            run request(number, KEY);
#endif
#if defined(FAULT_KEY_OF_EACH_TAB) || defined(FAULT_LATE_ANSWER_STORED)
            run request(number, SECOND);
#endif
#ifdef THIEF
            run thief(number, NONE);
            run thief(number, THIEFS);
#endif
        }
#ifdef THIEF
        run theft();
#endif
        number = 0
    }
}

ltl one_live_token { [] ((live & (live - 1)) == 0) }

/* Without a thief. */
ltl no_false_alarm { [] (!over && !logged_out) }

/* Without a thief, what the store holds is taken whenever it arrives. */
ltl never_stuck {
    [] (stored == generation || (stored + 1 == generation && made_by[generation] == key))
}

ltl theft_ends_session { [] ((thief_went_on && client_went_on) -> over) }

/* These two are false: they show that the model gets there. */
ltl never_done { [] (stored < MAX) }
ltl nobody_goes_on { [] !(thief_went_on && client_went_on) }
