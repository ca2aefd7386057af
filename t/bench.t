# "make bench" works: t/bench/run measures each kind of side, checks what it
# measures, tells what it leaves out, and writes all of it as JSON.  No figure
# is asserted.

use strict;
use warnings;

use lib 't/lib';

use Cwd qw(abs_path);
use File::Temp ();
use JSON::PP ();
use Test::More;

use CodatTest;

my $top = CodatTest::top();

plan skip_all => 'the module is not a file of its own'
    unless $ENV{TEST_NGINX_LOAD_MODULES};
plan skip_all => 'wrk is not installed'
    if system('sh', '-c', 'command -v wrk > /dev/null');

my $dir = File::Temp->newdir;
my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';
my $src = $ENV{NGINX_SRC} || '/usr/share/nginx/src';

# modules are built to compare with, and those of others are as old as nginx

my ($version) = `$nginx -v 2>&1` =~ m{nginx/([\d.]+)};
plan skip_all => "the sources in $src are not those of nginx $version"
    if system('grep', '-q', "\"$version\"", "$src/src/core/nginx.h");
my %env = (
    MODULE => abs_path((split ' ', $ENV{TEST_NGINX_LOAD_MODULES})[0]),
    NGINX_BINARY => $nginx, BENCH_ROUNDS => 1, BENCH_SECONDS => 1,
    BENCH_WARMUP => 0, BENCH_INSTALL => 0, BENCH_INSTRUCTIONS => 0,
    BENCH_PEERS => 'lua njs',
);


# the status, and what it said; files other than this one's are left alone

sub bench {
    my ($result, $pairs, @arguments) = @_;

    local %ENV = (%ENV, %env, BENCH_PAIRS => $pairs,
                  BENCH_RESULT => "$dir/$result");
    open(my $pipe, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh',
         "$top/t/bench/run", @arguments) or die "t/bench/run: $!\n";
    my $said = do { local $/; readline $pipe } // '';
    close($pipe);

    return ($? >> 8, $said);
}


sub result {
    my ($name) = @_;

    open(my $fh, '<:raw', "$dir/$name") or die "$name: $!\n";
    local $/;

    return JSON::PP::decode_json(readline $fh);
}


my ($status, $said) = bench('a.json', 'tls sizes memory');
is($status, 0, 'pairs are measured') or diag($said);
my $result = result('a.json');

for ('tls module', 'tls baseline', map { ("sizes module $_",
     "sizes baseline $_") } qw(1k 16k 256k))
{
    my ($name, $side) = /^(\w+) (.*)/;
    my $r = $result->{pairs}{$name}{sides}{$side}{rounds}[0];
    is_deeply([grep { !($r->{$_} && $r->{$_} > 0) }
                   qw(requests rps cpu p50 p99 p999 memory)], [],
              "$_: all figures are there");
    like($said, qr/^\Q$side\E +\d+ +\d+\.\d\d \[/m, "$_ is in the table");
}

cmp_ok($result->{pairs}{sizes}{bodies}{'16k'}, '>', 16_000, 'of 16 KB');
cmp_ok($result->{pairs}{sizes}{bodies}{'256k'}, '>', 256_000, 'of 256 KB');

my %alone = map { $_ => $result->{pairs}{sizes}{sides}{"alone $_"}{rounds}[0] }
    qw(1k 16k 256k);
cmp_ok($alone{'256k'}{$_}, '>', 5 * $alone{'1k'}{$_},
       "$_ alone takes longer for more") for qw(hmac yajl);

my $delivery = $result->{pairs}{memory}{sides}{delivery}{rounds}[0];
cmp_ok($delivery->{bytes}, '>', $delivery->{cells},
       'a delivery takes its cells and a share of the rest');

my @goals = map { @{$_->{goals}} } values %{$result->{pairs}};
is(@goals, 5, 'goals of all of them');
like($said, qr/^\w+ +\Q$_->{what}\E .* (?:met|missed)$/m, "goal: $_->{what}")
    for @goals;


# peers: those that are installed are measured, others named

($status, $said) = bench('b.json', 'peers');
is($status, 0, 'peers are measured') or diag($said);
my $peers = result('b.json')->{pairs}{peers};

my $path = qx($top/t/tools/modules-path $nginx) =~ s/\n//r;
my %so = (lua => 'ngx_http_lua_module', njs => 'ngx_http_js_module');
for my $peer (sort keys %so) {
    if (-f "$path/$so{$peer}.so") {
        ok($peers->{sides}{$peer}{rounds}[0]{rps}, "$peer is measured")
            or diag($said);

    } else {
        like($said, qr/^skipped: $peer: there is no \S*$so{$peer}/m,
             "$peer is skipped, aloud");
        ok(!$peers->{sides}{$peer}, "$peer has no figures");
    }
}


# results are put together

($status, $said) = bench('c.json', '', 'report',
                         map { "$dir/$_.json" } qw(a b a));
is($status, 0, 'a report of several results') or diag($said);
my $all = result('c.json');
is(join(' ', sort keys %{$all->{pairs}}), 'memory peers sizes tls',
   'has the pairs of all');
is(@{$all->{pairs}{tls}{sides}{module}{rounds}}, 2,
   'and the rounds of all');


# what is wrong ends it

($status, $said) = bench('d.json', 'nothing');
isnt($status, 0, 'an unknown pair ends it');
like($said, qr/no pair "nothing", there are: signed /, 'and it says so');

done_testing();
