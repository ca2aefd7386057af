# mistakes in the configuration: what nginx says of each, and that it refuses

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use CodatTest;
use CodatTest::Blocks;
use POSIX ();

# the least size of a zone, in KB: 8 pages

our $least = 8 * POSIX::sysconf(POSIX::_SC_PAGESIZE()) / 1024;

our $secret = 'whsec_b25lIHNlY3JldCBvZiAzMiBieXRlcyBsZW5ndGggIQ==';
our ($private, $public) = keypair();
our $body = '{"id":"e-1","eventType":"company.added","payload":{}}';
our $accepted = '{"id":"e-1","type":"company.added","result":"accepted"}';

my @secrets = ('t0ken', 'pa55', 's3cret', 'c2hvcnQ', 'not base64 at all!',
               map { s/^wh[a-z]+_//r } $secret, $private, $public);
my $http = "codat_zone zone=codat:1m;\n";
my $config = "location /webhook { codat_webhook zone=codat;
                                  codat_credential bearer t0ken; }";

webhook_blocks(http => $http, config => $config, secrets => \@secrets);


# "--- emerg" has the lines, each whole but for the place in the file, with
# which nginx refuses what stands in "--- zone" (arguments of codat_zone),
# "--- http" (beside a good codat_zone), "--- location" (in a good location)
# or "--- server" (in place of it); "--- refused" is a pattern instead.

add_block_preprocessor(sub {
    my $block = shift;
    my $emerg = $block->emerg;

    $block->set_value(suppress_stderr => '');
    $block->set_value(http_config => 'codat_zone ' . $block->zone . ';')
        if defined $block->zone;
    $block->set_value(http_config => $http . $block->http)
        if defined $block->http;
    $block->set_value(config => $config =~ s/\}$/$block->location . "\n}"/er)
        if defined $block->location;
    $block->set_value(config => $block->server) if defined $block->server;

    return if !defined $emerg;

    $emerg =~ s/\b32k\b/${least}k/;
    $block->set_value(must_die => 1);
    $block->set_value(no_error_log => ['[alert]', '[crit]', @secrets]);
    $block->set_value(error_log => [map {
        qr/\[emerg\] \d+#\d+: \Q$_\E(?:,? in (?:the location of )?\S+:\d+)?$/
    } CORE::split(/\n/, $emerg)]) if !defined $block->refused;
    $block->set_value(error_log => [$block->refused])
        if defined $block->refused;
});


run_tests();

__DATA__

=== TEST 1: codat_zone: arguments are needed
--- zone chop

--- emerg
invalid number of arguments in "codat_zone" directive


=== TEST 2: codat_zone: zone= is needed
--- zone: dedupe=1h
--- emerg
"codat_zone" needs zone=NAME:SIZE


=== TEST 3: codat_zone: zone= has a value
--- zone: zone=
--- emerg
"codat_zone" has an empty "zone="


=== TEST 4: codat_zone: zone=codat lacks a part
--- zone: zone=codat
--- emerg
"codat_zone" has an invalid "codat": zone=NAME:SIZE is expected, such as zone=codat:32m


=== TEST 5: codat_zone: zone=codat-1m lacks a part
--- zone: zone=codat-1m
--- emerg
"codat_zone" has an invalid "codat-1m": zone=NAME:SIZE is expected, such as zone=codat:32m


=== TEST 6: codat_zone: zone=:1m lacks a part
--- zone: zone=:1m
--- emerg
"codat_zone" has an invalid ":1m": zone=NAME:SIZE is expected, such as zone=codat:32m


=== TEST 7: codat_zone: zone=codat: has no size
--- zone: zone=codat:
--- emerg
"codat_zone" has an invalid "codat:": the size is a number with k or m behind it


=== TEST 8: codat_zone: zone=codat:big has no size
--- zone: zone=codat:big
--- emerg
"codat_zone" has an invalid "codat:big": the size is a number with k or m behind it


=== TEST 9: codat_zone: zone=codat:-1m has no size
--- zone: zone=codat:-1m
--- emerg
"codat_zone" has an invalid "codat:-1m": the size is a number with k or m behind it


=== TEST 10: codat_zone: zone=codat:1.5m has no size
--- zone: zone=codat:1.5m
--- emerg
"codat_zone" has an invalid "codat:1.5m": the size is a number with k or m behind it


=== TEST 11: codat_zone: zone=codat:1mb has no size
--- zone: zone=codat:1mb
--- emerg
"codat_zone" has an invalid "codat:1mb": the size is a number with k or m behind it


=== TEST 12: codat_zone: zone=codat:1m:2m has no size
--- zone: zone=codat:1m:2m
--- emerg
"codat_zone" has an invalid "codat:1m:2m": the size is a number with k or m behind it


=== TEST 13: codat_zone: zone=codat:0 is too small
--- zone: zone=codat:0
--- emerg
"codat_zone" zone "codat:0" is too small, 32k is the least, 1m holds about 3500 pushes


=== TEST 14: codat_zone: zone=codat:1 is too small
--- zone: zone=codat:1
--- emerg
"codat_zone" zone "codat:1" is too small, 32k is the least, 1m holds about 3500 pushes


=== TEST 15: codat_zone: zone=codat:8k is too small
--- zone: zone=codat:8k
--- emerg
"codat_zone" zone "codat:8k" is too small, 32k is the least, 1m holds about 3500 pushes


=== TEST 16: codat_zone: a second zone=
--- zone: zone=codat:1m zone=a:1m
--- emerg
"codat_zone" has a second "zone="


=== TEST 17: codat_zone: a second dedupe=
--- zone: zone=codat:1m dedupe=1h dedupe=1h
--- emerg
"codat_zone" has a second "dedupe="


=== TEST 18: codat_zone: a second retain=
--- zone: zone=codat:1m retain=1h retain=1h
--- emerg
"codat_zone" has a second "retain="


=== TEST 19: codat_zone: a second store=
--- zone: zone=codat:1m store=off store=off
--- emerg
"codat_zone" has a second "store="


=== TEST 20: codat_zone: dedupe= has a value
--- zone: zone=codat:1m dedupe=
--- emerg
"codat_zone" has an empty "dedupe="


=== TEST 21: codat_zone: retain= has a value
--- zone: zone=codat:1m retain=
--- emerg
"codat_zone" has an empty "retain="


=== TEST 22: codat_zone: store= has a value
--- zone: zone=codat:1m store=
--- emerg
"codat_zone" has an empty "store="


=== TEST 23: codat_zone: size=1m is no parameter
--- zone: zone=codat:1m size=1m
--- emerg
"codat_zone" has an invalid "size=1m": zone=NAME:SIZE, store=, dedupe= and retain= are allowed


=== TEST 24: codat_zone: dedupe is no parameter
--- zone: zone=codat:1m dedupe
--- emerg
"codat_zone" has an invalid "dedupe": zone=NAME:SIZE, store=, dedupe= and retain= are allowed


=== TEST 25: codat_zone: Zone=x:1m is no parameter
--- zone: zone=codat:1m Zone=x:1m
--- emerg
"codat_zone" has an invalid "Zone=x:1m": zone=NAME:SIZE, store=, dedupe= and retain= are allowed


=== TEST 26: codat_zone: off is no parameter
--- zone: zone=codat:1m off
--- emerg
"codat_zone" has an invalid "off": zone=NAME:SIZE, store=, dedupe= and retain= are allowed


=== TEST 27: codat_zone: zone is no parameter
--- zone: zone=codat:1m zone
--- emerg
"codat_zone" has an invalid "zone": zone=NAME:SIZE, store=, dedupe= and retain= are allowed


=== TEST 28: codat_zone: dedupe=0 is no time
--- zone: zone=codat:1m dedupe=0
--- emerg
"codat_zone" has an invalid "0": a time such as dedupe=72h, or dedupe=off, is allowed


=== TEST 29: codat_zone: dedupe=0s is no time
--- zone: zone=codat:1m dedupe=0s
--- emerg
"codat_zone" has an invalid "0s": a time such as dedupe=72h, or dedupe=off, is allowed


=== TEST 30: codat_zone: dedupe=soon is no time
--- zone: zone=codat:1m dedupe=soon
--- emerg
"codat_zone" has an invalid "soon": a time such as dedupe=72h, or dedupe=off, is allowed


=== TEST 31: codat_zone: dedupe=-1h is no time
--- zone: zone=codat:1m dedupe=-1h
--- emerg
"codat_zone" has an invalid "-1h": a time such as dedupe=72h, or dedupe=off, is allowed


=== TEST 32: codat_zone: dedupe=500ms is no time
--- zone: zone=codat:1m dedupe=500ms
--- emerg
"codat_zone" has an invalid "500ms": a time such as dedupe=72h, or dedupe=off, is allowed


=== TEST 33: codat_zone: dedupe=1.5h is no time
--- zone: zone=codat:1m dedupe=1.5h
--- emerg
"codat_zone" has an invalid "1.5h": a time such as dedupe=72h, or dedupe=off, is allowed


=== TEST 34: codat_zone: dedupe=OFF is no time
--- zone: zone=codat:1m dedupe=OFF
--- emerg
"codat_zone" has an invalid "OFF": a time such as dedupe=72h, or dedupe=off, is allowed


=== TEST 35: codat_zone: retain=0 is no time
--- zone: zone=codat:1m retain=0
--- emerg
"codat_zone" has an invalid "0": a time such as retain=30d is allowed


=== TEST 36: codat_zone: retain=ever is no time
--- zone: zone=codat:1m retain=ever
--- emerg
"codat_zone" has an invalid "ever": a time such as retain=30d is allowed


=== TEST 37: codat_zone: retain=-1d is no time
--- zone: zone=codat:1m retain=-1d
--- emerg
"codat_zone" has an invalid "-1d": a time such as retain=30d is allowed


=== TEST 38: codat_zone: retain=off is no time
--- zone: zone=codat:1m retain=off
--- emerg
"codat_zone" has an invalid "off": a time such as retain=30d is allowed


=== TEST 39: codat_zone: store=sqlite needs a file
--- zone: zone=codat:1m store=sqlite
--- emerg
"codat_zone" has a store "sqlite" that this build does not have, store=off and store=sqlite:PATH are allowed


=== TEST 40: codat_zone: store=redis is not there yet
--- zone: zone=codat:1m store=redis://codat:pa55@127.0.0.1:6379/0
--- emerg
"codat_zone" has a store "redis" that this build does not have, store=off and store=sqlite:PATH are allowed


=== TEST 41: codat_zone: store=on is not there yet
--- zone: zone=codat:1m store=on
--- emerg
"codat_zone" has a store "on" that this build does not have, store=off and store=sqlite:PATH are allowed


=== TEST 42: codat_zone: store=file is not there yet
--- zone: zone=codat:1m store=file
--- emerg
"codat_zone" has a store "file" that this build does not have, store=off and store=sqlite:PATH are allowed


=== TEST 43: codat_zone: the same zone twice
--- http: codat_zone zone=codat:1m;
--- emerg
"codat_zone" has an invalid "codat": each zone is declared once


=== TEST 44: codat_zone: the same zone with two sizes
--- http: codat_zone zone=codat:2m;
--- emerg
"codat_zone" has an invalid "codat": each zone is declared once


=== TEST 45: codat_zone: a name that another module took
--- http: limit_req_zone $host zone=limit:1m rate=1r/s; codat_zone zone=limit:1m;
--- emerg
the shared memory zone "limit" is already declared for a different use


=== TEST 46: codat_zone: only in http
--- server: codat_zone zone=other:1m;
--- emerg
"codat_zone" directive is not allowed here


=== TEST 47: codat_webhook: arguments are needed
--- server: location /webhook { codat_credential bearer t0ken; codat_webhook; }
--- emerg
invalid number of arguments in "codat_webhook" directive


=== TEST 48: codat_webhook: zone= is needed
--- server: location /webhook { codat_credential bearer t0ken; codat_webhook delivery=sync; }
--- emerg
"codat_webhook" needs zone=NAME, the name of a "codat_zone"


=== TEST 49: codat_webhook: zone= has a value
--- server: location /webhook { codat_credential bearer t0ken; codat_webhook zone=; }
--- emerg
"codat_webhook" has an empty "zone="


=== TEST 50: codat_webhook: a second zone=
--- server: location /webhook { codat_credential bearer t0ken; codat_webhook zone=codat zone=codat; }
--- emerg
"codat_webhook" has a second "zone="


=== TEST 51: codat_webhook: a second delivery=
--- server: location /webhook { codat_credential bearer t0ken; codat_webhook zone=codat delivery=sync delivery=sync; }
--- emerg
"codat_webhook" has a second "delivery="


=== TEST 52: codat_webhook: delivery= has a value
--- server: location /webhook { codat_credential bearer t0ken; codat_webhook zone=codat delivery=; }
--- emerg
"codat_webhook" has an empty "delivery="


=== TEST 53: codat_webhook: codat is no parameter
--- server: location /webhook { codat_credential bearer t0ken; codat_webhook codat; }
--- emerg
"codat_webhook" has an invalid "codat": zone=NAME, delivery=sync and delivery=queued are allowed


=== TEST 54: codat_webhook: timeout=1s is no parameter
--- server: location /webhook { codat_credential bearer t0ken; codat_webhook timeout=1s; }
--- emerg
"codat_webhook" has an invalid "timeout=1s": zone=NAME, delivery=sync and delivery=queued are allowed


=== TEST 55: codat_webhook: delivery=queued needs a store
--- server: location /webhook { codat_credential bearer t0ken; codat_webhook zone=codat delivery=queued; }
--- emerg
"codat_webhook" has delivery=queued, which needs a store, and zone "codat" has none, such as store=sqlite:PATH


=== TEST 56: codat_webhook: delivery=later is no way
--- server: location /webhook { codat_credential bearer t0ken; codat_webhook zone=codat delivery=later; }
--- emerg
"codat_webhook" has an invalid "later": delivery=sync or delivery=queued is expected


=== TEST 57: codat_webhook: zone=nosuch is not declared
--- server: location /webhook { codat_credential bearer t0ken; codat_webhook zone=nosuch; }
--- emerg
"codat_webhook" names a zone "nosuch" that no "codat_zone zone=nosuch:SIZE;" declares


=== TEST 58: codat_webhook: zone=codat:1m is not declared
--- server: location /webhook { codat_credential bearer t0ken; codat_webhook zone=codat:1m; }
--- emerg
"codat_webhook" names a zone "codat:1m" that no "codat_zone zone=codat:1m:SIZE;" declares


=== TEST 59: codat_webhook: zone=Codat is not declared
--- server: location /webhook { codat_credential bearer t0ken; codat_webhook zone=Codat; }
--- emerg
"codat_webhook" names a zone "Codat" that no "codat_zone zone=Codat:SIZE;" declares


=== TEST 60: codat_webhook: a zone of another module
--- http: limit_req_zone $host zone=limit:1m rate=1r/s;
--- server: location /webhook { codat_credential bearer t0ken; codat_webhook zone=limit; }
--- emerg
the shared memory zone "limit" is already declared for a different use


=== TEST 61: codat_webhook: twice
--- location: codat_webhook zone=codat;
--- emerg
"codat_webhook" directive is duplicate


=== TEST 62: codat_webhook: without a credential
--- server: location /webhook { codat_webhook zone=codat; }
--- emerg
"codat_webhook" has no "codat_credential", "codat_credential none;" opens it on purpose


=== TEST 63: codat_webhook: a credential of a sister location does not count
--- server: location /webhook { codat_webhook zone=codat; } location /other { codat_credential bearer t0ken; }
--- emerg
"codat_webhook" has no "codat_credential", "codat_credential none;" opens it on purpose


=== TEST 64: codat_webhook: only in a location
--- server: codat_webhook zone=codat;
--- emerg
"codat_webhook" directive is not allowed here


=== TEST 65: codat_webhook: not in "if"
--- server: location /webhook { codat_credential bearer t0ken; if ($arg_x) { codat_webhook zone=codat; } }
--- emerg
"codat_webhook" directive is not allowed here


=== TEST 66: codat_credential: arguments are needed
--- server: location /w { codat_webhook zone=codat; codat_credential; }
--- emerg
invalid number of arguments in "codat_credential" directive


=== TEST 67: codat_credential: digest is no kind
--- server: location /webhook { codat_webhook zone=codat; codat_credential digest t0ken; }
--- emerg
"codat_credential" has an unknown kind "digest", it must be "signature", "basic", "bearer", "header" or "none"


=== TEST 68: codat_credential: Basic is no kind
--- server: location /webhook { codat_webhook zone=codat; codat_credential Basic t0ken; }
--- emerg
"codat_credential" has an unknown kind "Basic", it must be "signature", "basic", "bearer", "header" or "none"


=== TEST 69: codat_credential: sign is no kind
--- server: location /webhook { codat_webhook zone=codat; codat_credential sign t0ken; }
--- emerg
"codat_credential" has an unknown kind "sign", it must be "signature", "basic", "bearer", "header" or "none"


=== TEST 70: codat_credential: of is no kind
--- server: location /webhook { codat_webhook zone=codat; codat_credential of t0ken; }
--- emerg
"codat_credential" has an unknown kind "of", it must be "signature", "basic", "bearer", "header" or "none"


=== TEST 71: codat_credential: an empty kind
--- server: location /webhook { codat_webhook zone=codat; codat_credential "" t0ken; }
--- emerg
"codat_credential" has an unknown kind "", it must be "signature", "basic", "bearer", "header" or "none"


=== TEST 72: codat_credential: signature with 0 arguments
--- server: location /webhook { codat_webhook zone=codat; codat_credential signature; }
--- emerg
"codat_credential signature" has a wrong number of arguments, 1 expected behind the kind


=== TEST 73: codat_credential: signature with 2 arguments
--- server: location /webhook { codat_webhook zone=codat; codat_credential signature c2hvcnQ c2hvcnQ; }
--- emerg
"codat_credential signature" has a wrong number of arguments, 1 expected behind the kind


=== TEST 74: codat_credential: basic with 0 arguments
--- server: location /webhook { codat_webhook zone=codat; codat_credential basic; }
--- emerg
"codat_credential basic" has a wrong number of arguments, 1 expected behind the kind


=== TEST 75: codat_credential: basic with 2 arguments
--- server: location /webhook { codat_webhook zone=codat; codat_credential basic me pa55; }
--- emerg
"codat_credential basic" has a wrong number of arguments, 1 expected behind the kind


=== TEST 76: codat_credential: bearer with 0 arguments
--- server: location /webhook { codat_webhook zone=codat; codat_credential bearer; }
--- emerg
"codat_credential bearer" has a wrong number of arguments, 1 expected behind the kind


=== TEST 77: codat_credential: bearer with 2 arguments
--- server: location /webhook { codat_webhook zone=codat; codat_credential bearer t0ken t0ken; }
--- emerg
"codat_credential bearer" has a wrong number of arguments, 1 expected behind the kind


=== TEST 78: codat_credential: header with 0 arguments
--- server: location /webhook { codat_webhook zone=codat; codat_credential header; }
--- emerg
"codat_credential header" has a wrong number of arguments, 2 expected behind the kind


=== TEST 79: codat_credential: header with 1 arguments
--- server: location /webhook { codat_webhook zone=codat; codat_credential header X-Key; }
--- emerg
"codat_credential header" has a wrong number of arguments, 2 expected behind the kind


=== TEST 80: codat_credential: header with 3 arguments
--- server: location /webhook { codat_webhook zone=codat; codat_credential header X-Key t0ken t0ken; }
--- emerg
"codat_credential header" has a wrong number of arguments, 2 expected behind the kind


=== TEST 81: codat_credential: none with 1 arguments
--- server: location /webhook { codat_webhook zone=codat; codat_credential none t0ken; }
--- emerg
"codat_credential none" has a wrong number of arguments, 0 expected behind the kind


=== TEST 82: codat_credential: signature: nothing
--- server: location /webhook { codat_webhook zone=codat; codat_credential signature ""; }
--- emerg
"codat_credential signature" has a secret that is empty, "whsec_BASE64" or "whpk_BASE64" is expected


=== TEST 83: codat_credential: signature: only a prefix
--- server: location /webhook { codat_webhook zone=codat; codat_credential signature whsec_; }
--- emerg
"codat_credential signature" has a secret that is empty, "whsec_BASE64" or "whpk_BASE64" is expected


=== TEST 84: codat_credential: signature: only a version
--- server: location /webhook { codat_webhook zone=codat; codat_credential signature v1,; }
--- emerg
"codat_credential signature" has a secret that is empty, "whsec_BASE64" or "whpk_BASE64" is expected


=== TEST 85: codat_credential: signature: no base64
--- server: location /webhook { codat_webhook zone=codat; codat_credential signature "not base64 at all!"; }
--- emerg
"codat_credential signature" has a secret that is not base64, "whsec_BASE64" or "whpk_BASE64" is expected


=== TEST 86: codat_credential: signature: half a padding
--- server: location /webhook { codat_webhook zone=codat; codat_credential signature whsec_c2hvcnQx=x; }
--- emerg
"codat_credential signature" has a secret that is not base64, "whsec_BASE64" or "whpk_BASE64" is expected


=== TEST 87: codat_credential: signature: a private key
--- server eval
"location /webhook { codat_webhook zone=codat; codat_credential signature " . $::private . "; }"
--- emerg
"codat_credential signature" has a secret that is a private key ("whsk_"), which only signs: the public one ("whpk_") is needed, "whsec_BASE64" or "whpk_BASE64" is expected


=== TEST 88: codat_credential: signature: a public key of a wrong length
--- server: location /webhook { codat_webhook zone=codat; codat_credential signature whpk_c2hvcnQ=; }
--- emerg
"codat_credential signature" has a secret that is not a public key of 32 bytes, "whsec_BASE64" or "whpk_BASE64" is expected


=== TEST 89: codat_credential: signature: v1 before a public key
--- server eval
"location /webhook { codat_webhook zone=codat; codat_credential signature " . "v1,$::public" . "; }"
--- emerg
"codat_credential signature" has a secret that is marked "v1", but begins with "whpk_", "whsec_BASE64" or "whpk_BASE64" is expected


=== TEST 90: codat_credential: signature: v1a before a secret
--- server eval
"location /webhook { codat_webhook zone=codat; codat_credential signature " . "v1a,$::secret" . "; }"
--- emerg
"codat_credential signature" has a secret that is marked "v1a", but does not begin with "whpk_", "whsec_BASE64" or "whpk_BASE64" is expected


=== TEST 91: codat_credential: basic: pa55
--- server: location /webhook { codat_webhook zone=codat; codat_credential basic pa55; }
--- emerg
"codat_credential basic" needs USER:PASSWORD, neither of them empty


=== TEST 92: codat_credential: basic: me:
--- server: location /webhook { codat_webhook zone=codat; codat_credential basic me:; }
--- emerg
"codat_credential basic" needs USER:PASSWORD, neither of them empty


=== TEST 93: codat_credential: basic: :pa55
--- server: location /webhook { codat_webhook zone=codat; codat_credential basic :pa55; }
--- emerg
"codat_credential basic" needs USER:PASSWORD, neither of them empty


=== TEST 94: codat_credential: basic: :
--- server: location /webhook { codat_webhook zone=codat; codat_credential basic :; }
--- emerg
"codat_credential basic" needs USER:PASSWORD, neither of them empty


=== TEST 95: codat_credential: basic "" would never match
--- server: location /webhook { codat_webhook zone=codat; codat_credential basic ""; }
--- emerg
"codat_credential" has an empty value, which would never match


=== TEST 96: codat_credential: bearer "" would never match
--- server: location /webhook { codat_webhook zone=codat; codat_credential bearer ""; }
--- emerg
"codat_credential" has an empty value, which would never match


=== TEST 97: codat_credential: header X-Key "" would never match
--- server: location /webhook { codat_webhook zone=codat; codat_credential header X-Key ""; }
--- emerg
"codat_credential" has an empty value, which would never match


=== TEST 98: codat_credential: "X-Key:" is no header
--- server: location /webhook { codat_webhook zone=codat; codat_credential header "X-Key:" t0ken; }
--- emerg
"codat_credential header" has an invalid header name behind "header", letters, digits, "-" and "_" are allowed


=== TEST 99: codat_credential: "X Key" is no header
--- server: location /webhook { codat_webhook zone=codat; codat_credential header "X Key" t0ken; }
--- emerg
"codat_credential header" has an invalid header name behind "header", letters, digits, "-" and "_" are allowed


=== TEST 100: codat_credential: "X.Key" is no header
--- server: location /webhook { codat_webhook zone=codat; codat_credential header "X.Key" t0ken; }
--- emerg
"codat_credential header" has an invalid header name behind "header", letters, digits, "-" and "_" are allowed


=== TEST 101: codat_credential: "" is no header
--- server: location /webhook { codat_webhook zone=codat; codat_credential header "" t0ken; }
--- emerg
"codat_credential header" has an invalid header name behind "header", letters, digits, "-" and "_" are allowed


=== TEST 102: codat_credential: none; bearer
--- server: location /webhook { codat_webhook zone=codat; codat_credential none; codat_credential bearer t0ken; }
--- emerg
"codat_credential none" can't be combined with another "codat_credential" of the same level


=== TEST 103: codat_credential: bearer; none
--- server: location /webhook { codat_webhook zone=codat; codat_credential bearer t0ken; codat_credential none; }
--- emerg
"codat_credential none" can't be combined with another "codat_credential" of the same level


=== TEST 104: codat_credential: none; none
--- server: location /webhook { codat_webhook zone=codat; codat_credential none; codat_credential none; }
--- emerg
"codat_credential none" can't be combined with another "codat_credential" of the same level


=== TEST 105: codat_credential: a variable without a name
--- server: location /webhook { codat_webhook zone=codat; codat_credential bearer t0ken$; }
--- emerg
invalid variable name


=== TEST 106: codat_credential: an unknown variable
--- server: location /webhook { codat_webhook zone=codat; codat_credential bearer t0ken$nosuch; }
--- emerg
unknown "nosuch" variable


=== TEST 107: codat_credential: not in "if"
--- server: location /webhook { codat_credential bearer t0ken; codat_webhook zone=codat; if ($arg_x) { codat_credential bearer t0ken; } }
--- emerg
"codat_credential" directive is not allowed here


=== TEST 108: codat_credential: a secret without its kind is not shown
--- server eval: "location /webhook { codat_webhook zone=codat; codat_credential $::secret; }"
--- emerg
--- refused eval: qr/\[emerg\] .*"codat_credential" .*"signature", "basic", "bearer", "header" or "none"/


=== TEST 109: codat_credential: a secret in front of its kind is not shown
--- server eval: "location /webhook { codat_webhook zone=codat; codat_credential $::secret signature; }"
--- emerg
--- refused eval: qr/\[emerg\] .*"codat_credential" .*"signature", "basic", "bearer", "header" or "none"/


=== TEST 110: codat_credential: USER:PASSWORD without its kind is not shown
--- server eval: "location /webhook { codat_webhook zone=codat; codat_credential codat:pa55; }"
--- emerg
--- refused eval: qr/\[emerg\] .*"codat_credential" .*"signature", "basic", "bearer", "header" or "none"/


=== TEST 111: codat_satisfy: maybe
--- location: codat_satisfy maybe;
--- emerg
"codat_satisfy" has an invalid value "maybe", one of these is expected: all, any


=== TEST 112: codat_satisfy: All
--- location: codat_satisfy All;
--- emerg
"codat_satisfy" has an invalid value "All", one of these is expected: all, any


=== TEST 113: codat_satisfy: "all any"
--- location: codat_satisfy "all any";
--- emerg
"codat_satisfy" has an invalid value "all any", one of these is expected: all, any


=== TEST 114: codat_satisfy: ""
--- location: codat_satisfy "";
--- emerg
"codat_satisfy" has an invalid value "", one of these is expected: all, any


=== TEST 115: codat_satisfy: arguments
--- location: codat_satisfy all any;
--- emerg
invalid number of arguments in "codat_satisfy" directive


=== TEST 116: codat_satisfy: twice
--- location: codat_satisfy all; codat_satisfy any;
--- emerg
"codat_satisfy" directive is duplicate


=== TEST 117: codat_log_level: debug
--- location: codat_log_level debug;
--- emerg
"codat_log_level" has an invalid value "debug", one of these is expected: info, notice, warn, error


=== TEST 118: codat_log_level: crit
--- location: codat_log_level crit;
--- emerg
"codat_log_level" has an invalid value "crit", one of these is expected: info, notice, warn, error


=== TEST 119: codat_log_level: ERROR
--- location: codat_log_level ERROR;
--- emerg
"codat_log_level" has an invalid value "ERROR", one of these is expected: info, notice, warn, error


=== TEST 120: codat_log_level: ""
--- location: codat_log_level "";
--- emerg
"codat_log_level" has an invalid value "", one of these is expected: info, notice, warn, error


=== TEST 121: codat_log_level: arguments
--- location: codat_log_level;
--- emerg
invalid number of arguments in "codat_log_level" directive


=== TEST 122: codat_log_level: twice
--- location: codat_log_level info; codat_log_level info;
--- emerg
"codat_log_level" directive is duplicate


=== TEST 123: codat_tolerance: 0
--- location: codat_tolerance 0;
--- emerg
"codat_tolerance" has an invalid "0": a time of at least 1s is expected


=== TEST 124: codat_tolerance: 0s
--- location: codat_tolerance 0s;
--- emerg
"codat_tolerance" has an invalid "0s": a time of at least 1s is expected


=== TEST 125: codat_tolerance: -5m
--- location: codat_tolerance -5m;
--- emerg
"codat_tolerance" has an invalid "-5m": a time of at least 1s is expected


=== TEST 126: codat_tolerance: 5min
--- location: codat_tolerance 5min;
--- emerg
"codat_tolerance" has an invalid "5min": a time of at least 1s is expected


=== TEST 127: codat_tolerance: 500ms
--- location: codat_tolerance 500ms;
--- emerg
"codat_tolerance" has an invalid "500ms": a time of at least 1s is expected


=== TEST 128: codat_tolerance: ""
--- location: codat_tolerance "";
--- emerg
"codat_tolerance" has an invalid "": a time of at least 1s is expected


=== TEST 129: codat_tolerance: off
--- location: codat_tolerance off;
--- emerg
"codat_tolerance" has an invalid "off": a time of at least 1s is expected


=== TEST 130: codat_tolerance: arguments
--- location: codat_tolerance 1s 2s;
--- emerg
invalid number of arguments in "codat_tolerance" directive


=== TEST 131: codat_tolerance: twice
--- location: codat_tolerance 1s; codat_tolerance 2s;
--- emerg
"codat_tolerance" directive is duplicate


=== TEST 132: codat_forward_timeout: 0
--- location: codat_forward_timeout 0;
--- emerg
"codat_forward_timeout" has an invalid "0": a time of at least 1ms is expected


=== TEST 133: codat_forward_timeout: 0ms
--- location: codat_forward_timeout 0ms;
--- emerg
"codat_forward_timeout" has an invalid "0ms": a time of at least 1ms is expected


=== TEST 134: codat_forward_timeout: -1s
--- location: codat_forward_timeout -1s;
--- emerg
"codat_forward_timeout" has an invalid "-1s": a time of at least 1ms is expected


=== TEST 135: codat_forward_timeout: x
--- location: codat_forward_timeout x;
--- emerg
"codat_forward_timeout" has an invalid "x": a time of at least 1ms is expected


=== TEST 136: codat_forward_timeout: ""
--- location: codat_forward_timeout "";
--- emerg
"codat_forward_timeout" has an invalid "": a time of at least 1ms is expected


=== TEST 137: codat_forward_timeout: off
--- location: codat_forward_timeout off;
--- emerg
"codat_forward_timeout" has an invalid "off": a time of at least 1ms is expected


=== TEST 138: codat_forward_timeout: arguments
--- location: codat_forward_timeout 1s 2s;
--- emerg
invalid number of arguments in "codat_forward_timeout" directive


=== TEST 139: codat_forward_timeout: twice
--- location: codat_forward_timeout 1s; codat_forward_timeout 2s;
--- emerg
"codat_forward_timeout" directive is duplicate


=== TEST 140: codat_client: arguments are needed
--- location: codat_client;
--- emerg
invalid number of arguments in "codat_client" directive


=== TEST 141: codat_client: an empty id
--- location: codat_client one "";
--- emerg
"codat_client" has an invalid "": a client id is expected


=== TEST 142: codat_forward: arguments are needed
--- location: codat_forward *;
--- emerg
invalid number of arguments in "codat_forward" directive


=== TEST 143: codat_forward: the pattern ""
--- location: codat_forward "" /app;
--- emerg
"codat_forward" has a pattern "" that is empty, a dotted event type is expected in which "*" stands for whole segments


=== TEST 144: codat_forward: the pattern a,
--- location: codat_forward a, /app;
--- emerg
"codat_forward" has a pattern "" that is empty, a dotted event type is expected in which "*" stands for whole segments


=== TEST 145: codat_forward: the pattern ,a
--- location: codat_forward ,a /app;
--- emerg
"codat_forward" has a pattern "" that is empty, a dotted event type is expected in which "*" stands for whole segments


=== TEST 146: codat_forward: the pattern a,,b
--- location: codat_forward a,,b /app;
--- emerg
"codat_forward" has a pattern "" that is empty, a dotted event type is expected in which "*" stands for whole segments


=== TEST 147: codat_forward: the pattern a..b
--- location: codat_forward a..b /app;
--- emerg
"codat_forward" has a pattern "a..b" that has an empty segment, a dotted event type is expected in which "*" stands for whole segments


=== TEST 148: codat_forward: the pattern .a
--- location: codat_forward .a /app;
--- emerg
"codat_forward" has a pattern ".a" that has an empty segment, a dotted event type is expected in which "*" stands for whole segments


=== TEST 149: codat_forward: the pattern a.
--- location: codat_forward a. /app;
--- emerg
"codat_forward" has a pattern "a." that has an empty segment, a dotted event type is expected in which "*" stands for whole segments


=== TEST 150: codat_forward: the pattern *.
--- location: codat_forward *. /app;
--- emerg
"codat_forward" has a pattern "*." that has an empty segment, a dotted event type is expected in which "*" stands for whole segments


=== TEST 151: codat_forward: the pattern a*
--- location: codat_forward a* /app;
--- emerg
"codat_forward" has a pattern "a*" that has a "*" that is not a whole segment, a dotted event type is expected in which "*" stands for whole segments


=== TEST 152: codat_forward: the pattern *a.b
--- location: codat_forward *a.b /app;
--- emerg
"codat_forward" has a pattern "*a.b" that has a "*" that is not a whole segment, a dotted event type is expected in which "*" stands for whole segments


=== TEST 153: codat_forward: the pattern a.**
--- location: codat_forward a.** /app;
--- emerg
"codat_forward" has a pattern "a.**" that has a "*" that is not a whole segment, a dotted event type is expected in which "*" stands for whole segments


=== TEST 154: codat_forward: the pattern a,b.c*
--- location: codat_forward a,b.c* /app;
--- emerg
"codat_forward" has a pattern "b.c*" that has a "*" that is not a whole segment, a dotted event type is expected in which "*" stands for whole segments


=== TEST 155: codat_forward: the pattern "a b"
--- location: codat_forward "a b" /app;
--- emerg
"codat_forward" has a pattern "a b" that has a space, a comma or a control character, a dotted event type is expected in which "*" stands for whole segments


=== TEST 156: codat_forward: the pattern "a, b"
--- location: codat_forward "a, b" /app;
--- emerg
"codat_forward" has a pattern " b" that has a space, a comma or a control character, a dotted event type is expected in which "*" stands for whole segments


=== TEST 157: codat_forward: the target ""
--- location: codat_forward * "";
--- emerg
"codat_forward" has a target "" that is neither a URI, which begins with "/", nor a named location; an application elsewhere is reached by proxy_pass in that location


=== TEST 158: codat_forward: the target app
--- location: codat_forward * app;
--- emerg
"codat_forward" has a target "app" that is neither a URI, which begins with "/", nor a named location; an application elsewhere is reached by proxy_pass in that location


=== TEST 159: codat_forward: the target @
--- location: codat_forward * @;
--- emerg
"codat_forward" has a target "@" that is neither a URI, which begins with "/", nor a named location; an application elsewhere is reached by proxy_pass in that location


=== TEST 160: codat_forward: the target http://127.0.0.1/app
--- location: codat_forward * http://127.0.0.1/app;
--- emerg
"codat_forward" has a target "http://127.0.0.1/app" that is neither a URI, which begins with "/", nor a named location; an application elsewhere is reached by proxy_pass in that location


=== TEST 161: codat_forward: the target ?x=1
--- location: codat_forward * ?x=1;
--- emerg
"codat_forward" has a target "?x=1" that is neither a URI, which begins with "/", nor a named location; an application elsewhere is reached by proxy_pass in that location


=== TEST 162: codat_forward: a named location that is not there
--- location: codat_forward * @nowhere;
--- emerg
"codat_forward" names a location "@nowhere" that this server does not have


=== TEST 163: codat_forward: a named location of another server
--- http: server { listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1; location @elsewhere { return 204; } }
--- location: codat_forward * @elsewhere;
--- emerg
"codat_forward" names a location "@elsewhere" that this server does not have


=== TEST 164: codat_forward: the option raw
--- location: codat_forward * /app raw;
--- emerg
"codat_forward" has an invalid "raw": format=NAME, if=CONDITION, optional, max=NUMBER and order=company|push are allowed


=== TEST 165: codat_forward: the option Optional
--- location: codat_forward * /app Optional;
--- emerg
"codat_forward" has an invalid "Optional": format=NAME, if=CONDITION, optional, max=NUMBER and order=company|push are allowed


=== TEST 166: codat_forward: the option optional=on
--- location: codat_forward * /app optional=on;
--- emerg
"codat_forward" has an invalid "optional=on": format=NAME, if=CONDITION, optional, max=NUMBER and order=company|push are allowed


=== TEST 167: codat_forward: the option timeout=1s
--- location: codat_forward * /app timeout=1s;
--- emerg
"codat_forward" has an invalid "timeout=1s": format=NAME, if=CONDITION, optional, max=NUMBER and order=company|push are allowed


=== TEST 168: codat_forward: the option if
--- location: codat_forward * /app if;
--- emerg
"codat_forward" has an invalid "if": format=NAME, if=CONDITION, optional, max=NUMBER and order=company|push are allowed


=== TEST 169: codat_forward: optional twice
--- location: codat_forward * /app optional optional;
--- emerg
"codat_forward" has an invalid "optional": it was said before


=== TEST 170: codat_forward: an empty format=
--- location: codat_forward * /app format=;
--- emerg
"codat_forward" has an empty "format="


=== TEST 171: codat_forward: a second format=
--- location: codat_forward * /app format=raw format=raw;
--- emerg
"codat_forward" has a second "format="


=== TEST 172: codat_forward: an empty if=
--- location: codat_forward * /app if=;
--- emerg
"codat_forward" has an empty "if="


=== TEST 173: codat_forward: a second if=
--- location: codat_forward * /app if=$arg_x if=$arg_x;
--- emerg
"codat_forward" has a second "if="


=== TEST 174: codat_forward: format=nosuch
--- location: codat_forward * /app format=nosuch;
--- emerg
"codat_forward" to "/app" has an unknown format "nosuch", "cloudevents", "raw" or the name of a "codat_format" is expected


=== TEST 175: codat_forward: format=RAW
--- location: codat_forward * /app format=RAW;
--- emerg
"codat_forward" to "/app" has an unknown format "RAW", "cloudevents", "raw" or the name of a "codat_format" is expected


=== TEST 176: codat_forward: more than 64 in a location
--- location eval: "codat_forward * /app;\n" x 65
--- emerg
"codat_forward" is given more than 64 times in one location


=== TEST 177: codat_forward: without codat_webhook
--- server: location /other { codat_forward * /app; }
--- emerg
"codat_forward" in location "/other" has no effect without "codat_webhook" in the same location


=== TEST 178: codat_forward: in a location inside
--- location: location /webhook/in { codat_forward * /app; }
--- emerg
"codat_forward" in location "/webhook/in" has no effect without "codat_webhook" in the same location


=== TEST 179: codat_forward: only in a location
--- server: codat_forward * /app;
--- emerg
"codat_forward" directive is not allowed here


=== TEST 180: codat_forward: a variable without a name in the URI
--- location: codat_forward * /app/$;
--- emerg
invalid variable name


=== TEST 181: codat_forward: a variable without a name in the arguments
--- location: codat_forward * "/app?x=$";
--- emerg
invalid variable name in "x=$" of "codat_forward"


=== TEST 182: codat_forward: an unknown variable
--- location: codat_forward * /app/$nosuch;
--- emerg
unknown "nosuch" variable


=== TEST 183: codat_forward: an unknown variable in the arguments
--- location: codat_forward * /app?x=$nosuch;
--- emerg
unknown "nosuch" variable


=== TEST 184: codat_forward: an unknown variable in if=
--- location: codat_forward * /app if=$nosuch;
--- emerg
unknown "nosuch" variable


=== TEST 185: codat_format: arguments are needed
--- http: codat_format mine;
--- emerg
invalid number of arguments in "codat_format" directive


=== TEST 186: codat_format: cloudevents is built in
--- http: codat_format cloudevents x;
--- emerg
"codat_format" "cloudevents" is built in or made before, choose another name


=== TEST 187: codat_format: raw is built in
--- http: codat_format raw x;
--- emerg
"codat_format" "raw" is built in or made before, choose another name


=== TEST 188: codat_format: twice
--- http: codat_format mine x; codat_format mine y;
--- emerg
"codat_format" "mine" is built in or made before, choose another name


=== TEST 189: codat_format: type=text/plain and no template
--- http: codat_format mine type=text/plain;
--- emerg
"codat_format" "mine" has no template


=== TEST 190: codat_format: escape=none and no template
--- http: codat_format mine escape=none;
--- emerg
"codat_format" "mine" has no template


=== TEST 191: codat_format: type=text/plain escape=json and no template
--- http: codat_format mine type=text/plain escape=json;
--- emerg
"codat_format" "mine" has no template


=== TEST 192: codat_format: type=
--- http: codat_format mine type= x;
--- emerg
"codat_format" has an invalid "type=", a media type such as type=application/json is expected


=== TEST 193: codat_format: type=json
--- http: codat_format mine type=json x;
--- emerg
"codat_format" has an invalid "type=json", a media type such as type=application/json is expected


=== TEST 194: codat_format: "type=text/ plain"
--- http: codat_format mine "type=text/	plain" x;
--- emerg
"codat_format" has an invalid "type=text/	plain", a media type such as type=application/json is expected


=== TEST 195: codat_format: a second type=
--- http: codat_format mine type=text/plain type=text/html x;
--- emerg
"codat_format" has a second "type=text/html"


=== TEST 196: codat_format: escape=
--- http: codat_format mine escape= x;
--- emerg
"codat_format" has an invalid "escape=", escape=json or escape=none is expected


=== TEST 197: codat_format: escape=html
--- http: codat_format mine escape=html x;
--- emerg
"codat_format" has an invalid "escape=html", escape=json or escape=none is expected


=== TEST 198: codat_format: escape=JSON
--- http: codat_format mine escape=JSON x;
--- emerg
"codat_format" has an invalid "escape=JSON", escape=json or escape=none is expected


=== TEST 199: codat_format: "x $"
--- http: codat_format mine "x $";
--- emerg
invalid variable name in "x $" of "codat_format"


=== TEST 200: codat_format: "${"
--- http: codat_format mine "${";
--- emerg
invalid variable name in "${" of "codat_format"


=== TEST 201: codat_format: "${host"
--- http: codat_format mine "${host";
--- emerg
invalid variable name in "${host" of "codat_format"


=== TEST 202: codat_format: "$-"
--- http: codat_format mine "$-";
--- emerg
invalid variable name in "$-" of "codat_format"


=== TEST 203: codat_format: an unknown variable
--- http: codat_format mine "$nosuch";
--- emerg
unknown "nosuch" variable


=== TEST 204: codat_format: only in http
--- server: codat_format mine x;
--- emerg
"codat_format" directive is not allowed here


=== TEST 205: codat_credential: "none" is a warning, once
--- server
location /webhook { codat_webhook zone=codat; codat_credential none; }
--- request eval: "POST /webhook\n$::body"
--- response_body eval: $::accepted
--- grep_error_log eval: qr/\[\w+\] \d+#\d+: "codat_credential.*? in \S+:\d+$/
--- grep_error_log_out eval
qr/^\[warn\] \d+#\d+: "codat_credential none" lets anybody send webhooks that are not refused otherwise in \S+:\d+\n$/


=== TEST 206: codat_credential: an HMAC key of odd size is a warning each
--- server eval
use MIME::Base64 qw(encode_base64);
CORE::join("\n", 'codat_tolerance 1h;',
    map { "location /w$_ { codat_webhook zone=codat; codat_credential signature whsec_"
    . encode_base64("x" x $_, '') . '; }' } 1, 23, 24, 64, 65)
--- request eval: "POST /w65\n$::body"
--- more_headers eval: signed_headers(encode_base64("x" x 65, ''), $::body)
--- response_body eval: $::accepted
--- logged: \[warn\]
--- grep_error_log eval: qr/\[\w+\] \d+#\d+: "codat_credential.*? in \S+:\d+$/
--- grep_error_log_out eval
qr/^(\[warn\] \d+#\d+: "codat_credential signature" has a secret of (?:1|23|65) bytes, 24 to 64 are usual in \S+:\d+\n){3}$/


=== TEST 207: codat_credential: a public key has one size only and gives no warning
--- server eval
"location /webhook { codat_webhook zone=codat; codat_credential signature $::public; codat_tolerance 1h; }"
--- request eval: "POST /webhook\n$::body"
--- more_headers eval: signed_headers($::private, $::body)
--- response_body eval: $::accepted


=== TEST 208: everything at its limits is taken without a word
--- http eval
"codat_zone zone=other:${main::least}k dedupe=off retain=1s store=off;
codat_zone zone=third:1000k dedupe=100y retain=100y;" . '
codat_format mine escape=none type=text/plain "" "$codat_event_id";
codat_satisfy any; codat_tolerance 1s; codat_forward_timeout 1ms; codat_log_level info;
codat_client one;'
--- server eval
"codat_satisfy all; codat_tolerance 20y; codat_forward_timeout 1d; codat_log_level warn;
codat_client one two; codat_client three;
location /webhook { codat_webhook zone=codat delivery=sync; codat_satisfy any; codat_tolerance 5m;
    codat_credential bearer t0ken; codat_credential bearer t0ken; codat_log_level error;
    codat_credential header Authorization s3cret; codat_credential basic me:pa55:pa55;
    codat_credential signature $::secret;
    codat_forward never.*,*.never,*.never.*,n.e.v.e.r \@app format=mine if=\$arg_x optional;
    " . "codat_forward never /app/\$codat_company_id?x=\$codat_event_id;\n" x 63 . " }
location \@app { return 204; }"
--- request eval: "POST /webhook\n$::body"
--- more_headers
Authorization: Bearer t0ken
--- response_body eval: $::accepted


=== TEST 209: codat_credential: a value in the place of the header's name is not shown
--- server: location /webhook { codat_webhook zone=codat; codat_credential header "not base64 at all!" X-Key; }
--- emerg
"codat_credential header" has an invalid header name behind "header", letters, digits, "-" and "_" are allowed


=== TEST 210: codat_format: a second escape=
--- http: codat_format mine escape=json escape=none "$codat_event_id";
--- emerg
"codat_format" has a second "escape=none"


=== TEST 211: codat_webhook: proxy_pass in the same location would serve instead of it
--- server
location /webhook {
    codat_webhook zone=codat;
    codat_credential bearer t0ken;
    proxy_pass http://127.0.0.1:1;
}
--- emerg
"codat_webhook" shares its location with another handler, such as "proxy_pass", which belongs into the location of a "codat_forward"


=== TEST 212: codat_zone: zone=codat:99999999999999g has no size
--- zone: zone=codat:99999999999999g
--- emerg
"codat_zone" has an invalid "codat:99999999999999g": the size is a number with k or m behind it


=== TEST 213: codat_zone: more megabytes than a size can count
--- zone: zone=codat:99999999999999m
--- emerg
"codat_zone" has an invalid "codat:99999999999999m": the size is a number with k or m behind it


=== TEST 214: codat_zone: more kilobytes than a size can count, by one
--- zone: zone=codat:9007199254740992k
--- emerg
"codat_zone" has an invalid "codat:9007199254740992k": the size is a number with k or m behind it


=== TEST 215: codat_zone: more bytes than a number can count
--- zone: zone=codat:99999999999999999999
--- emerg
"codat_zone" has an invalid "codat:99999999999999999999": the size is a number with k or m behind it


=== TEST 216: codat_zone: zone=codat:0m is too small
--- zone: zone=codat:0m
--- emerg
"codat_zone" zone "codat:0m" is too small, 32k is the least, 1m holds about 3500 pushes


=== TEST 217: codat_zone: a byte less than the least size
--- zone: zone=codat:32767
--- emerg
"codat_zone" zone "codat:32767" is too small, 32k is the least, 1m holds about 3500 pushes


=== TEST 218: codat_zone: more years than a time can count
--- zone: zone=codat:1m dedupe=99999999999999999999y
--- emerg
"codat_zone" has an invalid "99999999999999999999y": a time such as dedupe=72h, or dedupe=off, is allowed


=== TEST 219: codat_zone: the same zone with other parameters
--- http: codat_zone zone=codat:1m dedupe=1h retain=1d;
--- emerg
"codat_zone" has an invalid "codat": each zone is declared once


=== TEST 220: codat_zone: another module takes its name
--- http: limit_req_zone $host zone=codat:1m rate=1r/s;
--- emerg
the shared memory zone "codat" is already declared for a different use


=== TEST 221: codat_zone: a URL without its parameter shows no password
--- zone: zone=codat:1m redis://codat:pa55@127.0.0.1:6379/0
--- emerg
"codat_zone" has an invalid "redis://": zone=NAME:SIZE, store=, dedupe= and retain= are allowed


=== TEST 222: codat_forward: a target that is a URL shows no password
--- location: codat_forward * https://codat:pa55@example.com/app;
--- emerg
"codat_forward" has a target "https://" that is neither a URI, which begins with "/", nor a named location; an application elsewhere is reached by proxy_pass in that location
