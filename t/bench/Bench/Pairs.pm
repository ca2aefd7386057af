package Bench::Pairs;

# What is compared with what.  A pair has two or more sides, which take turns;
# each gets messages of a kind:
#
#     kind         of the messages (Bench::Messages); default: the pair's
#     conf         what nginx has in the location, and load: modules
#     peer         or another server (Bench::Peers)
#     measure      or something else than requests
#     repeat       messages may be sent twice
#     expect       status, text for a message that came before, for a new one
#     warmup       how much longer than others it is warmed up
#     connections  not as many as usual, where what is under way at the end
#                  would be a good part of all
#     against      the side to compare with; default: the first
#
# Goals are ratios "this side / that side" of a figure, in one round each.

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT_OK = qw(%PAIRS @ORDER);

my $codat = 'codat_webhook zone=bench;';
my $signed = "$codat codat_credential signature file:secret;";
my $basic = "$codat codat_credential basic file:password;";
my $proxy = 'proxy_pass http://application; proxy_http_version 1.1; '
    . 'proxy_set_header Connection "";';

my $list = $proxy =~ s{application;}{application/list;}r;

my %module = (name => 'module', load => ['codat'], zone => 1,
              expect => [200, 'duplicate', 'accepted']);
my %baseline = (name => 'baseline', load => ['baseline'], repeat => 1,
                conf => 'bench_baseline;', expect => [204, '', '']);

# documented for bodies of more than 16 KB
my $large = 'client_body_buffer_size 64k;';

our @ORDER = qw(signed basic legacy forward track tables tls sizes peers memory);

our %PAIRS = (
    signed => {
        text => 'signed, no forward / body read, 204',
        kind => 'signed',
        sides => [{ %module, conf => $signed }, { %baseline }],
        goals => [['cpu', 'module', 'baseline', '<=', 1.5],
                  ['rps', 'module', 'baseline', '>=', 0.72]],
        instructions => 1,
    },
    basic => {
        text => 'Basic, no forward / body read, 204',
        kind => 'basic',
        sides => [{ %module, conf => $basic }, { %baseline }],
        instructions => 1,
    },
    legacy => {
        text => 'Basic, legacy body, no forward / body read, 204',
        kind => 'legacy',
        sides => [{ %module, conf => $basic }, { %baseline }],
        instructions => 1,
    },
    forward => {
        text => 'signed, one forward / the same body by proxy_pass',
        kind => 'signed',
        sides => [
            { %module, upstream => 1, conf => "$signed codat_forward * /app/;",
              locations => "location /app/ { internal; $proxy }" },
            { %baseline, name => 'proxy_pass', load => [], upstream => 1,
              conf => $proxy },
        ],
        goals => [['rps', 'module', 'proxy_pass', '>=', 0.78]],
        instructions => 1,
    },
    track => {
        text => 'a call that is no push, through codat_track / proxy_pass',
        kind => 'basic',
        sides => [
            { %module, upstream => 1, conf => "codat_track zone=bench; $list",
              repeat => 1, expect => [200, 'results', 'results'] },
            { %baseline, name => 'proxy_pass', load => [], upstream => 1,
              conf => $list, expect => [200, 'results', 'results'] },
        ],
        goals => [['rps', 'module', 'proxy_pass', '>=', 0.97]],
        instructions => 1,
    },
    tables => {
        text => 'signed, no forward / the same without the tables',
        kind => 'signed',
        sides => [
            { %module, conf => $signed },
            { %module, name => 'without', load => ['without', 'codat'],
              conf => $signed, zone => 'dedupe=off', repeat => 1,
              expect => [200, 'accepted', 'accepted'] },
        ],
        instructions => 1,
    },
    tls => {
        text => 'signed, no forward / body read, 204; both over TLS',
        kind => 'signed',
        sides => [{ %module, conf => $signed, tls => 1 },
                  { %baseline, tls => 1 }],
        goals => [['cpu', 'module', 'baseline', '<=', 1.3]],
    },
    sizes => {
        text => 'signed, no forward / body read, 204, by size of the body; '
            . 'HMAC and yajl alone',
        kind => 'signed',
        sides => [
            (map { my $kind = $_;
                   my $kb = $kind eq 'signed' ? '1k' : $kind;
                   my %few = $kind eq '256k' ? (connections => 4) : ();
                   ({ %module, conf => "$signed $large", kind => $kind,
                      name => "module $kb", %few },
                    { %baseline, conf => "bench_baseline; $large",
                      kind => $kind, name => "baseline $kb", %few,
                      against => "module $kb" },
                    { name => "alone $kb", kind => $kind, measure => 'alone',
                      against => "module $kb" }) }
                 qw(signed 16k 256k)),
        ],
        goals => [['growth', '16k', '', '<=', 2],
                  ['growth', '256k', '', '<=', 2]],
    },
    peers => {
        text => 'signed, no forward / other servers that do the same',
        kind => 'signed',
        sides => [{ %module, conf => $signed },
                  map { { name => $_, peer => $_, expect => $module{expect},
                          warmup => 2 } }
                      qw(lua njs fastify express go)],
        instructions => 1,
        goals => [['cpu', 'module', 'lua', '<=', 1 / 2.7],
                  ['rps', 'module', 'fastify', '>=', 6],
                  ['rps', 'module', 'express', '>=', 15]],
    },
    memory => {
        text => 'an idle worker with the module / without; a delivery',
        kind => 'basic',
        sides => [
            { %module, conf => $signed, measure => 'idle' },
            { name => 'without', load => [], conf => 'return 204;',
              measure => 'idle' },
            { %module, name => 'delivery', measure => 'delivery',
              conf => $basic, kind => 'unknown',
              locations => 'location /codat/ { codat_status zone=bench; }' },
        ],
        goals => [['rss', 'module', 'without', '<=', 2],
                  ['bytes', 'delivery', '', '<=', 128]],
    },
);

for my $name (@ORDER) {
    $PAIRS{$name}{name} = $name;
    $_->{kind} //= $PAIRS{$name}{kind} for @{$PAIRS{$name}{sides}};
}


1;
