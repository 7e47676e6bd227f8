// SPDX-License-Identifier: GPL-2.0-only

#include <linux/llist.h>

bool kalloc_helper_llist_add(struct llist_node *new, struct llist_head *head);
bool kalloc_helper_llist_add(struct llist_node *new, struct llist_head *head)
{
	return llist_add(new, head);
}

struct llist_node *kalloc_helper_llist_del_all(struct llist_head *head);
struct llist_node *kalloc_helper_llist_del_all(struct llist_head *head)
{
	return llist_del_all(head);
}
