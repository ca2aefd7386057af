# Codat's own library for JavaScript manages consumers through nginx as it is:
# only the URL of the API is another one, and the key in place of the API key.
# "make sdk" fetches the library and tries it.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Consumers;
use JSON::PP ();
use Test::More;

my $top = CodatTest::top();
my $folder = $ENV{CODAT_SDK} || "$top/build/sdk";

if (`node --version 2>&1` !~ /^v(\d+)\./ || $1 < 18) {
    plan(skip_all => 'no node, of version 18 or later: "make sdk"');
}

plan(skip_all => "no \@codat/platform in $folder: \"make sdk\"")
    unless -d "$folder/node_modules/\@codat/platform";

my $t = CodatTest::Consumers->new;
my $nginx = $t->nginx;

delete @ENV{grep { /_proxy$/i } keys %ENV};
my $text = do {
    open(my $node, '-|', 'node', "$top/t/sdk/consumers.mjs", $folder,
         'http://127.0.0.1:' . $nginx->port . '/hooks', $t->{key}) or die;
    local ($/, $SIG{ALRM}) = (undef, sub { die "no answer of node\n" });
    alarm(120);
    my $said = <$node>;
    alarm(0);
    $said;
};
my $said = eval { JSON::PP->new->utf8->decode($text) } or die $@;
my $uuid = qr/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;


sub error {
    my ($got, $status, $error, $item, $name) = @_;

    is("$got->{name} $got->{statusCode}", "ErrorMessage $status", $name);
    like($got->{error}, $error, "$name: error");
    is($got->{service}, 'nginx', "$name: service");
    ok($got->{correlationId}, "$name: correlationId");
    is($got->{canBeRetried}, 'False', "$name: canBeRetried");
    is($got->{detailedErrorCode}, 0, "$name: detailedErrorCode");
    is($got->{validation} && $got->{validation}{errors}[0]{itemId}, $item,
       "$name: validation");
}


like($said->{created}{id}, $uuid, 'created');
is_deeply($said->{created}, {
    id => $said->{created}{id}, url => 'https://hooks.example.com/sdk',
    disabled => JSON::PP::false,
    eventTypes => ['read.completed', 'bills.write.successful'],
    companyTags => ['region:uk', 'cohort:spring'] }, 'as the library sees it');
is_deeply($said->{plain}{companyTags}, [], 'without tags');
is($said->{plain}{disabled}, JSON::PP::false, 'not disabled');
is($said->{disabled}{disabled}, JSON::PP::true, 'disabled');

is_deeply($said->{listed}, { results =>
    [@$said{qw(created plain disabled ofClient)}] }, 'listed');
is_deeply($said->{listedOfClient}, { results => [$said->{ofClient}] },
          'listed for a client');

is($said->{deleted}, undef, 'deleted');
is_deeply($said->{listedAfter}, { results =>
    [@$said{qw(plain disabled ofClient)}] }, 'and listed no more');

error($said->{unknown}, 404, qr/not known/, undef, 'deleted once more');
error($said->{invalid}, 400, qr/^"url" /, 'url', 'a URL that is no https');
error($said->{incomplete}, 400, qr/required/, 'eventTypes', 'no types');
error($said->{stranger}, 401, qr/key/, undef, 'a stranger lists');
error($said->{strangerCreates}, 401, qr/key/, undef, 'a stranger creates');

ok($nginx->stop, 'nginx stops');
no_bad_log($nginx);

done_testing();
