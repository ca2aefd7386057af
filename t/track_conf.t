# codat_track in the configuration: mistakes, and where it may stand.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use Test::More;

my $proxy = 'proxy_pass http://127.0.0.1:1/;';


# what nginx -t says of a server's configuration

sub check {
    my ($server, $http) = @_;

    return CodatTest::Nginx->new(conf => {
        http => $http // 'codat_zone zone=codat:1m; codat_credential none;',
        server => $server })->check;
}


my @refused = (
    ['no arguments', "location /api/ { codat_track; $proxy }",
     'invalid number of arguments in "codat_track" directive'],
    ['no zone', "location /api/ { codat_track refresh=5s; $proxy }",
     '"codat_track" needs zone=NAME, the name of a "codat_zone"'],
    ['an empty zone', "location /api/ { codat_track zone=; $proxy }",
     '"codat_track" has an empty "zone="'],
    ['an unknown zone', "location /api/ { codat_track zone=other; $proxy }",
     '"codat_track" names a zone "other" that no "codat_zone '
     . 'zone=other:SIZE;" declares'],
    ['an unknown argument', "location /api/ { codat_track zone=codat x; $proxy }",
     '"codat_track" has an invalid "x": zone=NAME, reference=, refresh=, '
     . 'shed= and reconcile= are allowed'],
    ['two zones', "location /api/ { codat_track zone=codat zone=codat; $proxy }",
     '"codat_track" has a second "zone="'],
    ['an empty reference',
     "location /api/ { codat_track zone=codat reference=; $proxy }",
     '"codat_track" has an empty "reference="'],
    ['a variable that is none',
     "location /api/ { codat_track zone=codat reference=\$codat_nothing; $proxy }",
     'unknown "codat_nothing" variable'],
    ['refresh=often',
     "location /api/ { codat_track zone=codat refresh=often; $proxy }",
     '"codat_track" has an invalid "often": a time such as refresh=60s, or '
     . 'refresh=0, is allowed'],
    ['refresh=500ms',
     "location /api/ { codat_track zone=codat refresh=500ms; $proxy }",
     '"codat_track" has an invalid "500ms"'],
    ['shed=yes', "location /api/ { codat_track zone=codat shed=yes; $proxy }",
     '"codat_track" has an invalid "yes": shed=on or shed=off is expected'],
    ['reconcile=soon',
     "location /api/ { codat_track zone=codat reconcile=soon; $proxy }",
     '"codat_track" has an invalid "soon": a time such as reconcile=5m, or '
     . 'reconcile=off, is allowed'],
    ['reconcile=0',
     "location /api/ { codat_track zone=codat reconcile=0; $proxy }",
     '"codat_track" has an invalid "0"'],
    ['reconcile= alone',
     "location /api/ { codat_track zone=codat reconcile=5m; $proxy }",
     '"codat_reconcile @NAME" and "codat_track" with "reconcile=TIME" need '
     . 'each other, in the same location'],
    ['codat_reconcile alone',
     "location /api/ { codat_track zone=codat; codat_reconcile \@a; $proxy }",
     '"codat_reconcile @NAME" and "codat_track" with "reconcile=TIME" need '
     . 'each other, in the same location'],
    ['codat_reconcile to a location that is not there',
     "location /api/ { codat_track zone=codat reconcile=5m;"
     . " codat_reconcile \@a; $proxy } location \@b { return 204; }",
     '"codat_reconcile" has a location "@a" that this server does not have'],
    ['codat_reconcile to a location of another server',
     "location /api/ { codat_track zone=codat reconcile=5m;"
     . " codat_reconcile \@a; $proxy }",
     '"codat_reconcile" has a location "@a" that this server does not have',
     'codat_zone zone=codat:1m; server { listen 127.0.0.1:{{port1}};'
     . ' location @a { return 204; } }'],
    ['codat_reconcile to a URI', "location /api/ { codat_reconcile /ask; }",
     '"codat_reconcile" has an invalid "/ask": a named location such as '
     . '@codat is expected'],
    ['codat_reconcile, too fast',
     "location /api/ { codat_reconcile \@a rate=1001; }",
     '"codat_reconcile" has an invalid "rate=1001": rate=N, 1 to 1000 '
     . 'requests a second, is allowed'],
    ['codat_reconcile twice',
     "location /api/ { codat_reconcile \@a; codat_reconcile \@a; }",
     '"codat_reconcile" directive is duplicate'],
    ['two that ask for the pushes of one zone', join(' ', map {
        "location /$_/ { codat_track zone=codat reconcile=5m;"
        . " codat_reconcile \@a; $proxy }" } 'a', 'b')
     . ' location @a { return 204; }',
     'the pushes of zone "codat" are asked for by one "codat_reconcile" '
     . 'already'],
    ['twice', "location /api/ { codat_track zone=codat;"
     . " codat_track zone=codat; $proxy }",
     '"codat_track" directive is duplicate'],
    ['in a server', 'codat_track zone=codat;',
     '"codat_track" directive is not allowed here'],
    ['with a webhook',
     'location /api/ { codat_track zone=codat; codat_webhook zone=codat; }',
     q["codat_track" can't share a location with "codat_webhook" or]],
    ['with the status API',
     'location /api/ { codat_status zone=codat; codat_track zone=codat; }',
     q["codat_track" can't share a location with "codat_webhook" or]],
);

for my $case (@refused) {
    my ($name, $server, $expected, $http) = @$case;
    my ($ok, $said) = check($server, $http);
    ok(!$ok, "$name: refused");
    like($said, qr/\[emerg\].*\Q$expected\E/, "$name: and why");
}

my @accepted = (
    ['all arguments', "location /api/ { codat_track zone=codat refresh=1m"
     . " reference=a-\$arg_b shed=off; $proxy }"],
    ['refresh=0', "location /api/ { codat_track zone=codat refresh=0; $proxy }"],
    ['a regular expression',
     'location ~ ^/api { codat_track zone=codat; proxy_pass http://127.0.0.1:1; }'],
    ['a named location',
     'location @api { codat_track zone=codat; proxy_pass http://127.0.0.1:1; }'],
    ['an exact location', "location = /api { codat_track zone=codat; $proxy }"],
    ['an "if"', "location /api/ { codat_track zone=codat; $proxy"
     . ' if ($arg_a) { proxy_pass http://127.0.0.1:2; } }'],
    ['a limit_except', "location /api/ { codat_track zone=codat; $proxy"
     . ' limit_except GET { deny all; } }'],
    ['codat_reconcile to a location that comes later',
     "location / { location /api/ { codat_track zone=codat reconcile=5m;"
     . " codat_reconcile \@a; $proxy } } location \@a { return 204; }"],
    ['codat_reconcile and an "if"',
     "location \@a { return 204; } location /api/ { codat_track zone=codat"
     . " reconcile=5m; codat_reconcile \@a; $proxy"
     . ' if ($arg_a) { set $b 1; } }'],
    ['another upstream module', 'location /api/ { codat_track zone=codat;'
     . ' fastcgi_pass 127.0.0.1:1; }'],
);

for my $case (@accepted) {
    my ($name, $server) = @$case;
    my ($ok, $said) = check($server);
    ok($ok, "$name: accepted") or diag($said);
}

my ($ok, $said) = check("location /api/ { codat_track zone=late; $proxy }",
                        'codat_zone zone=late:1m;');
ok($ok, 'without a webhook anywhere') or diag($said);

done_testing();
