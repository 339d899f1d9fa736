"""The shop's rows as SQL: products, customers, carts and what follows from them."""

from __future__ import annotations

from datetime import date

from medallion.sample.randomness import Dice
from medallion.sample.request import SampleRequest

PRODUCTS = 1286
CATEGORIES = {"Home": 20, "Books": 19, "Electronics": 20, "Toys": 18, "Clothing": 23}
_NAMES = {
    "Home": (("Rustic", "Modern", "Cozy", "Elegant"), ("Chair", "Lamp", "Rug", "Mirror")),
    "Books": (("Classic", "Modern", "Illustrated", "Pocket"), ("Anthology", "Novel", "Guide", "Atlas")),
    "Electronics": (("Smart", "Wireless", "Compact", "Portable"), ("Speaker", "Headphones", "Monitor", "Camera")),
    "Toys": (("Colorful", "Wooden", "Magnetic", "Plush"), ("Blocks", "Train", "Puzzle", "Bear")),
    "Clothing": (("Classic", "Casual", "Warm", "Light"), ("Jacket", "Shirt", "Scarf", "Socks")),
}  # fmt: skip
_FIRST = ("Aaron", "Shelley", "Maria", "David", "Isabel", "Zachary", "Emma", "Noah", "Ruth", "Omar")
_LAST = ("Abbott", "Serrano", "Floyd", "Wong", "Arellano", "Johnson", "Mann", "Cole", "Diaz", "Kim")
_STREETS = ("Campbell Valleys", "Holmes Place", "Adams Park", "Oak Street", "Main Avenue")
_TOWNS = ("East Devon", "West Scott", "Cameronfurt", "Lake Ann", "Port Mary", "New Carl")
_STATES = ("NE", "CA", "UT", "NY", "TX", "FL", "WA", "IL", "DC", "OH", "GA", "PR", "MT", "AL")
_REASONS = (
    "Found a better price",
    "Arrived damaged",
    "Item arrived late",
    "Wrong item",
    "Product did not match description",
    "Damaged in transit",
    "Changed mind",
    "Defective",
    "No longer needed",
)
CHANNELS = {"Web": 45, "Phone": 20, "Social Media": 15, "Ebay": 15, "NewEgg": 5}
PAYMENTS = {"Credit Card": 60, "PayPal": 20, "Apple Pay": 10, "Google Pay": 5, "ACH": 5}
_SPEEDS = {"Standard": 65, "Two-Day": 20, "Overnight": 15}
_QUANTITIES = {"1": 30, "2": 30, "3": 23, "4": 7, "5": 7, "6": 3}
CARTS_PER_ORDER = 7.6
LONGEST_RETURN = 30
_GUESTS = 0.29
_RETURNED = 0.09


class ShopSql:
    """The queries that make a sample's rows.

    Args:
        request: The sample.
    """

    def __init__(self, request: SampleRequest) -> None:
        self._request = request
        self._dice = Dice(request.seed)
        self._first_customer = 1000 + request.seed * 7919 % 9000

    def products(self) -> str:
        """One row per product, prices in cents."""
        dice = self._dice
        category = dice.weighted(CATEGORIES, "category", "product_id")
        names = " ".join(
            f"when '{name}' then {dice.pick(adjectives, 'adjective', 'product_id')}"
            f" || ' ' || {dice.pick(nouns, 'noun', 'product_id')}"
            for name, (adjectives, nouns) in _NAMES.items()
        )
        return f"""
            select *, case category {names} end as product_name,
                unit_cents * (40 + {dice.below(31, "cost", "product_id")}) // 100 as cost_cents,
                100 + {dice.below(151, "stock", "product_id")} as inventory_quantity
            from (
                select product_id, {category} as category,
                    500 + {dice.below(24501, "price", "product_id")} as unit_cents
                from range(1, {PRODUCTS + 1}) as r(product_id)
            )"""

    def customers(self) -> str:
        """One row per customer that has one."""
        dice, request = self._dice, self._request
        n = "n"
        return f"""
            select
                'CUST-' || (n + {self._first_customer}) as customer_id,
                {dice.pick(_FIRST, "first", n)} as first_name,
                {dice.pick(_LAST, "last", n)} as last_name,
                lower({dice.pick(_FIRST, "first", n)} || '.' || {dice.pick(_LAST, "last", n)})
                    || {dice.pick(("@gmail.com", "@yahoo.com", "@hotmail.com"), "mail", n)} as email,
                '(' || (200 + {dice.below(700, "area", n)}) || ')555-'
                    || lpad({dice.below(10000, "phone", n)}::varchar, 4, '0') as phone_number,
                date '{request.end}' - {dice.below(366, "signup", n)}::int as signup_day,
                {dice.weighted({"Unknown": 36, "Male": 32, "Female": 32}, "gender", n)} as gender,
                (18 + {dice.below(53, "age", n)})::double as age,
                {dice.weighted({"Active": 70, "Inactive": 20, "Dormant": 10}, "status", n)}
                    as customer_status,
                {dice.weighted({"Website": 55, "email": 20, "Social Media": 15, "Phone": 10}, "via", n)}
                    as signup_channel,
                {dice.weighted({"Bronze": 68, "Platinum": 20, "Gold": 7, "Silver": 5}, "tier", n)}
                    as loyalty_tier,
                {dice.weighted({"Bronze": 37, "Silver": 32, "Gold": 21, "Platinum": 10}, "first tier", n)}
                    as first_tier,
                {dice.chance(0.9, "enrolled", n)} as is_enrolled,
                {dice.below(30, "enrolment", n)} as enrolled_after,
                {dice.chance(0.8, "verified", n)} as email_verified,
                {dice.chance(0.5, "opt in", n)} as marketing_opt_in,
                {self._address(n)} as mailing_address,
                {dice.weighted({"Low": 70, "High": 23, "Medium": 7}, "bucket", n)} as clv_bucket
            from range({request.customers}) as r(n)"""

    def carts(self, day: date) -> str:
        """The carts of a day; the first ones become orders."""
        dice, request = self._dice, self._request
        number = (day - request.start).days
        orders = self.orders_of(day)
        carts = round(orders * CARTS_PER_ORDER)
        row = (f"{number}", "n")
        guest = dice.below(max(10, request.customers // 3), "guest", *row)
        known = dice.below(request.customers, "customer", *row)
        return f"""
            select
                n, {number} as day_number,
                {self._identifier("CART", number, "n")} as cart_id,
                {dice.chance(_GUESTS, "is guest", *row)} as is_guest,
                case when {dice.chance(_GUESTS, "is guest", *row)}
                    then 'GUEST-' || (100000 + {guest})
                    else 'CUST-' || ({known} + {self._first_customer}) end as customer_id,
                case when {dice.chance(_GUESTS, "is guest", *row)} then -1 - {guest} else {known} end
                    as customer_number,
                timestamp '{day}' + to_microseconds({dice.below(86_400_000_000, "created", *row)})
                    as created_at,
                case when n < {orders} then 'converted'
                    when {dice.chance(0.15, "emptied", *row)} then 'emptied'
                    else 'abandoned' end as status,
                1 + {dice.below(9, "lines", *row)} as line_count
            from range({carts}) as r(n)"""

    def lines(self) -> str:
        """The lines of `carts`, with the time each was added and its price."""
        dice = self._dice
        row = ("c.day_number", "c.n", "l.j")
        return f"""
            select c.n, c.day_number, c.cart_id, l.j, p.product_id, p.product_name, p.category,
                p.unit_cents, p.cost_cents,
                cast({dice.weighted(_QUANTITIES, "quantity", *row)} as bigint) as quantity,
                least(
                    c.created_at + to_seconds(l.j * 150 + 1 + {dice.below(150, "pause", *row)}),
                    timestamp '{self._request.end}' + interval 1 day - interval 1 microsecond
                ) as added_at,
                case when {dice.chance(0.2, "discounted", *row)}
                    then 5 + {dice.below(21, "discount", *row)} else 0 end as discount_percent
            from carts as c, range(9) as l(j), products as p
            where c.status <> 'emptied' and l.j < c.line_count
                and p.product_id = 1 + {dice.below(PRODUCTS, "product", *row)}"""

    def order_lines(self) -> str:
        """The lines of converted carts, equal products merged."""
        return """
            select n, day_number, product_id, any_value(product_name) as product_name,
                any_value(category) as category, any_value(unit_cents) as unit_cents,
                any_value(cost_cents) as cost_cents, sum(quantity)::bigint as quantity,
                sum(quantity * unit_cents * discount_percent // 100)::bigint as discount_cents,
                count(*) as cart_lines
            from lines where cart_id in (select cart_id from carts where status = 'converted')
            group by n, day_number, product_id"""

    def orders(self) -> str:
        """One row per converted cart, money in cents."""
        dice = self._dice
        row = ("c.day_number", "c.n")
        customer = "c.customer_number"
        fee = "case payment_method when 'ACH' then 10 when 'PayPal' then 30 when 'Credit Card' then 25 else 20 end"
        cost = "case shipping_speed when 'Standard' then 500 when 'Two-Day' then 4500 else 8000 end"
        actual = (
            "case shipping_speed when 'Standard' then 450 when 'Two-Day' then 3800 else 7000 end"
        )
        return f"""
            select *, gross_cents - discount_cents as net_cents,
                (gross_cents - discount_cents) * {fee} // 1000 as fee_cents,
                {cost} as shipping_cents,
                {actual} * (85 + {dice.below(26, "freight", "day_number", "n")}) // 100 as freight_cents,
                case when order_channel = 'Phone'
                    then 'CSR-' || lpad((1 + {dice.below(20, "agent", "day_number", "n")})::varchar, 4, '0')
                    else 'ONLINE' end as agent_id
            from (
                select c.n, c.day_number, c.customer_id, c.created_at,
                    {self._identifier("ORD", "c.day_number", "c.n")} as order_id,
                    lower({dice.pick(_FIRST, "first", customer)} || '.' || {dice.pick(_LAST, "last", customer)})
                        || {dice.pick(("@gmail.com", "@yahoo.com", "@hotmail.com"), "mail", customer)} as email,
                    {self._address(customer)} as address,
                    {dice.weighted(CHANNELS, "channel", *row)} as order_channel,
                    {dice.chance(0.2, "expedited", *row)} as is_expedited,
                    {dice.weighted({"Platinum": 60, "Gold": 21, "Silver": 16, "Bronze": 3}, "tier", customer)}
                        as customer_tier,
                    {dice.weighted(PAYMENTS, "payment", *row)} as payment_method,
                    {dice.weighted(_SPEEDS, "speed", *row)} as shipping_speed,
                    {dice.weighted({"High": 71, "Medium": 21, "Low": 8}, "bucket", customer)} as clv_bucket,
                    l.total_items, l.gross_cents, l.discount_cents
                from carts as c
                join (
                    select n, sum(cart_lines)::bigint as total_items,
                        sum(quantity * unit_cents)::bigint as gross_cents,
                        sum(discount_cents)::bigint as discount_cents
                    from order_lines group by n
                ) as l using (n)
                where c.status = 'converted'
            )"""

    def returns(self, day: date) -> str:
        """The returns that orders of a day will lead to; as upstream, all before the end."""
        dice = self._dice
        longest = min(LONGEST_RETURN, (self._request.end - day).days)
        row = ("day_number", "n")
        return f"""
            select n, day_number, order_id, customer_id, email, order_channel, agent_id,
                payment_method,
                {self._identifier("RTN", "day_number", "n")} as return_id,
                date '{day}' + (1 + {dice.below(max(1, longest), "lag", *row)})::int as return_day,
                {dice.pick(_REASONS, "reason", *row)} as reason
            from orders where {longest} > 0 and {dice.chance(_RETURNED, "returned", *row)}"""

    def return_lines(self) -> str:
        """The returned lines: the first of an order always, others now and then."""
        dice = self._dice
        row = ("l.day_number", "l.n", "l.product_id")
        return f"""
            select r.return_id, r.order_id, r.return_day, l.product_id, l.product_name, l.category,
                l.unit_cents, l.cost_cents,
                1 + {dice.below("l.quantity", "returned units", *row)} as quantity_returned
            from new_returns as r join order_lines as l using (n, day_number)
            where {dice.chance(0.7, "line returned", *row)}
                or l.product_id = (select min(o.product_id) from order_lines as o where o.n = r.n)"""

    def orders_of(self, day: date) -> int:
        """Orders of a day: they rise a little towards the end, as upstream's do."""
        number = (day - self._request.start).days
        middle = (self._request.days - 1) / 2
        slope = 0.4 * (number - middle) / max(1.0, middle)
        return max(1, round(self._request.orders_per_day * (1 + slope)))

    def _identifier(self, prefix: str, day_number: int | str, n: str) -> str:
        """An id that no other row has: a number is turned around inside all of its kind."""
        busiest = round(self._request.orders_per_day * 1.5 * CARTS_PER_ORDER) + 1
        size = 10 ** max(8, len(str(busiest * self._request.days)))
        digits = len(str(size)) - 1
        number = f"(({day_number}::hugeint * {busiest} + {n}) * 73856093 + {self._request.seed})"
        return f"'{prefix}-' || lpad(({number} % {size})::varchar, {digits}, '0')"

    def _address(self, row: str) -> str:
        dice = self._dice
        zip_code = f"lpad({dice.below(100000, 'zip', row)}::varchar, 5, '0')"
        house = f"({dice.below(99999, 'house', row)})"
        return f"""case when {dice.chance(0.02, "military", row)}
            then 'Unit ' || {house} || ' Box ' || {dice.below(9999, "box", row)} || ', DPO A'
                || {dice.pick(("A", "E", "P"), "dpo", row)} || ' ' || {zip_code}
            else {house} || ' ' || {dice.pick(_STREETS, "street", row)} || ', '
                || {dice.pick(_TOWNS, "town", row)} || ', '
                || {dice.pick(_STATES, "state", row)} || ' ' || {zip_code} end"""
