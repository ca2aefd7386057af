# codat_consumers in the configuration: mistakes, and where it may stand.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use Test::More;

my $zone = 'codat_zone zone=codat:1m store=sqlite:{{prefix}}/codat.db;';
my $deliver = 'location @out { proxy_pass http://127.0.0.1:1; }';
my $good = 'codat_consumers zone=codat deliver=@out;';


# what nginx -t says of a server's configuration

sub check {
    my ($server, $http) = @_;

    return CodatTest::Nginx->new(conf => {
        http => $http // "$zone codat_credential none;",
        server => $server })->check;
}


# and of two, the first of which has the location that delivers

sub check_two {
    my ($one, $two) = @_;

    return check($one, "$zone server { listen 127.0.0.1:{{port1}}; $two }");
}


my @refused = (
    ['no arguments', "location /hooks/ { codat_consumers; }",
     'invalid number of arguments in "codat_consumers" directive'],
    ['no zone', "location /hooks/ { codat_consumers deliver=\@out; } $deliver",
     '"codat_consumers" needs zone=NAME, the name of a "codat_zone"'],
    ['an empty zone', "location /hooks/ { codat_consumers zone=; }",
     '"codat_consumers" has an empty "zone="'],
    ['two zones',
     "location /hooks/ { codat_consumers zone=codat zone=codat; }",
     '"codat_consumers" has a second "zone="'],
    ['an unknown zone', "location /hooks/ { codat_consumers zone=other"
     . " deliver=\@out; } $deliver",
     '"codat_consumers" names a zone "other" that no "codat_zone '
     . 'zone=other:SIZE;" declares'],
    ['an unknown argument',
     "location /hooks/ { codat_consumers zone=codat x; }",
     '"codat_consumers" has an invalid "x": zone=NAME, deliver=@NAME and '
     . 'allow=HOST,... are allowed'],
    ['no deliver=', "location /hooks/ { codat_consumers zone=codat; }",
     '"codat_consumers" needs deliver=@NAME, the named location with '
     . '"proxy_pass $codat_consumer_url;", once for zone "codat"'],
    ['an empty deliver=',
     "location /hooks/ { codat_consumers zone=codat deliver=; }",
     '"codat_consumers" has an empty "deliver="'],
    ['deliver= to a URI',
     "location /hooks/ { codat_consumers zone=codat deliver=/out; }",
     '"codat_consumers" has an invalid "/out": a named location such as '
     . 'deliver=@consumers is expected'],
    ['deliver= to a location without a name',
     "location /hooks/ { codat_consumers zone=codat deliver=@; }",
     '"codat_consumers" has an invalid "@": a named location'],
    ['deliver= to a location that is not there',
     'location /hooks/ { codat_consumers zone=codat deliver=@in; } '
     . $deliver,
     '"codat_consumers" has a location "deliver=@in" that this server does '
     . 'not have'],
    ['an empty allow=',
     "location /hooks/ { codat_consumers zone=codat deliver=\@out allow=; }",
     '"codat_consumers" has an empty "allow="'],
    ['allow= with a URL', "location /hooks/ { codat_consumers zone=codat"
     . " deliver=\@out allow=a.test,https://b.test/x; } $deliver",
     '"codat_consumers" has "https://b.test/x" in "allow=", which '],
    ['twice', "location /hooks/ { $good $good } $deliver",
     '"codat_consumers" directive is duplicate'],
    ['two locations that deliver', "location /hooks/ { $good } $deliver"
     . ' location /more/ { codat_consumers zone=codat deliver=@in; }'
     . ' location @in { return 204; }',
     '"codat_consumers" has "deliver=@in", but zone "codat" has '
     . '"deliver=@out" already'],
    ['in a server', $good,
     '"codat_consumers" directive is not allowed here'],
    ['in a named location', "location \@hooks { $good } $deliver",
     '"codat_consumers" needs a prefix location such as "location '
     . '/codat-hooks/", or an exact one within it, "@hooks" is a named one'],
    ['in a regular expression', "location ~ ^/hooks/ { $good } $deliver",
     '"^/hooks/" is a regular expression'],
    ['with a webhook',
     "location /hooks/ { codat_webhook zone=codat; $good } $deliver",
     q["codat_consumers" can't share a location with "codat_webhook", ]],
    ['with the status API',
     "location /hooks/ { $good codat_status zone=codat; } $deliver",
     q["codat_consumers" can't share a location with "codat_webhook", ]],
    ['with codat_track',
     "location /hooks/ { $good codat_track zone=codat; } $deliver",
     q["codat_consumers" can't share a location with "codat_webhook", ]],
    ['before a proxy_pass',
     "location /hooks/ { $good proxy_pass http://127.0.0.1:1; } $deliver",
     '"codat_consumers" shares its location with another handler, such as '
     . '"proxy_pass", which belongs into the location of "deliver="'],
    ['behind a proxy_pass',
     "location /hooks/ { proxy_pass http://127.0.0.1:1; $good } $deliver",
     '"codat_consumers" shares its location with another handler'],
    ['with a proxy_pass in an "if"', "location /hooks/ { $good"
     . " if (\$arg_a) { proxy_pass http://127.0.0.1:1; } } $deliver",
     '"codat_consumers" shares its location with another handler'],
);

for my $case (@refused) {
    my ($name, $server, $expected) = @$case;
    my ($ok, $said) = check($server);
    ok(!$ok, "$name: refused");
    like($said, qr/\[emerg\].*\Q$expected\E/, "$name: and why");
}

my ($ok, $said) = check_two("location /hooks/ { $good } $deliver",
                         "location /hooks/ { $good } $deliver");
ok(!$ok, 'deliver= in two servers: refused');
like($said, qr/\[emerg\] .* in another server, "deliver=" is to be left out/,
     'deliver= in two servers: and why');

my $ignored = "location = /hooks/webhooks/integrationKeys/zapier { deny all; }";
my $resolver = 'resolver 127.0.0.1;';

for my $case (
    ['whoever may call it can make keys', "location /hooks/ { $good } $deliver",
     'makes integration keys for whoever is let into location "/hooks/", an '
     . 'exact location for its "webhooks/integrationKeys/zapier" can be '
     . 'stricter'],
    ['no resolver', "location /hooks/ { $good } $deliver $ignored",
     'location "@out" of "codat_consumers" has no "resolver"'],
    ['keys in a location of their own', "$resolver $ignored $deliver"
     . " location /hooks/ { $good }"],
    ['keys in a nested location', "$resolver $deliver"
     . " location /hooks/ { $good $ignored }"],
    ['only keys', "$resolver $deliver location = /keys/webhooks/integration"
     . "Keys/zapier { $good }"],
    ['an "if"', "$resolver $deliver $ignored"
     . " location /hooks/ { $good if (\$arg_a) { set \$b 1; } }"],
) {
    my ($name, $server, $expected) = @$case;
    my ($ok, $said) = check($server);
    my @warnings = grep { /codat_consumers/ } $said =~ /\[warn\] (.*)/g;
    ok($ok, "$name: accepted") or diag($said);
    if ($expected) {
        is(scalar(grep { /\Q$expected/ } @warnings), 1,
           "$name: with a warning") or diag($said);
    } else {
        is("@warnings", '', "$name: without a warning");
    }
}

my @accepted = (
    ['a prefix location', "location /hooks/ { $good } $deliver"],
    ['a zone without a store', "location /hooks/ { $good } $deliver",
     'codat_zone zone=codat:1m;'],
    ['without a slash', "location /hooks { $good } $deliver"],
    ['the whole server', "location / { $good } $deliver"],
    ['one that no regular expression overrules',
     "location ^~ /hooks/ { $good } $deliver"],
    ['allow=, repeated', "location /hooks/ { codat_consumers zone=codat"
     . " allow=hooks.example.com deliver=\@out allow=a.test,b.test; } $deliver"],
    ['an exact location within it', "location /hooks/ { $good"
     . " location = /hooks/webhooks/integrationKeys/zapier {"
     . " auth_basic x; auth_basic_user_file x; $good } } $deliver"],
    ['deliver= said once', "location /hooks/ { $good } $deliver"
     . ' location /more/ { codat_consumers zone=codat; }'],
    ['deliver= said later', "location /more/ { codat_consumers zone=codat; }"
     . " location /hooks/ { $good } $deliver"],
    ['an "if"', "location /hooks/ { $good if (\$arg_a) { set \$b 1; } }"
     . $deliver],
    ['a limit_except', "location /hooks/ { $good limit_except GET"
     . " { deny all; } } $deliver"],
    ['a nested location of another kind', "location /hooks/ { $good"
     . " location /hooks/x/ { proxy_pass http://127.0.0.1:1; } } $deliver"],
);

for my $case (@accepted) {
    my ($name, $server, $http) = @$case;
    ($ok, $said) = check($server, $http);
    ok($ok, "$name: accepted") or diag($said);
}

($ok, $said) = check_two("location /hooks/ { $good } $deliver",
                         'location /hooks/ { codat_consumers zone=codat; }');
ok($ok, 'two servers, one of which delivers: accepted') or diag($said);

done_testing();
